"""Installing official bundles: unchanged, proved, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from broker.errors import BrokerError, ConfigError, SchemaMissing
from broker.xoev import place
from broker.xoev.install import (
    ALREADY,
    INSTALLED,
    KEPT,
    REPLACED,
    Installed,
    Terms,
    install,
    listed,
    remove,
    shown,
)
from broker.xoev.standards import Standards
from tests.xoev.bundles import about, element, folder, imported, sequence, shapes, text, xsd
from tests.xoev.folders import SCHEMAS, samples
from tests.xoev.letters import letter

AT = datetime(2026, 11, 24, tzinfo=UTC)
OWN = "urn:muster:1.0"
TYPES = "urn:muster:typen"
REMOTE = "https://example.org/schemas/typen.xsd"
DEEP = '<xs:simpleType name="Wort"><xs:restriction base="xs:token"/></xs:simpleType>'


def bundle(path: Path, extra: str = "", **more: str) -> Path:
    """Write a bundle of one invented standard, complete unless `extra` imports something."""
    kind = element("meldung.0001", sequence(text("nachrichtenkopf.g2g"), text("wort")))
    return folder(path, {"muster.xsd": xsd(OWN, about("Muster", "1.0") + extra + kind)} | more)


def needy(path: Path) -> Path:
    return bundle(path, imported(TYPES, REMOTE))


def library(path: Path) -> Path:
    return folder(path, {"typen.xsd": xsd(TYPES, DEEP, version="1.1")})


def statuses(done: Installed) -> dict[str, str]:
    return {change.record.name: change.status for change in done.changes}


def everything(path: Path) -> dict[str, str]:
    """Return digests of all files, the locks of the installation left out."""
    files = (one for one in path.rglob("*") if one.is_file() and one.name != ".install.lock")
    return {str(one.relative_to(path)): hashlib.sha256(one.read_bytes()).hexdigest()
            for one in files}  # fmt: skip


def failed(source: Path, target: Path) -> ConfigError:
    before = everything(target) if target.exists() else {}
    with pytest.raises(ConfigError) as caught:
        install(source, target)
    assert everything(target) == before
    return caught.value


def test_a_bundle_is_stored_unchanged_with_a_record(tmp_path: Path) -> None:
    source = bundle(tmp_path / "muster", note="Hinweis")

    done = install(source, tmp_path / "s", Terms(by="muster"))

    found = shown(tmp_path / "s", "muster", "1.0")
    stored = everything(tmp_path / "s/muster/1.0/official")
    del stored["xoev-broker.json"]
    assert statuses(done) == {"muster/1.0": INSTALLED}
    assert stored == everything(source) == dict(found.files)
    assert (found.origin, found.installed_by, found.title) == ("muster", "muster", "Muster")


def test_installing_twice_changes_nothing(tmp_path: Path) -> None:
    source = bundle(tmp_path / "muster")
    install(source, tmp_path / "s")
    before = everything(tmp_path / "s")

    done = install(source, tmp_path / "s")

    assert statuses(done) == {"muster/1.0": ALREADY}
    assert not done.changed
    assert install(source, tmp_path / "s", Terms(grace=1)).changes[0].warnings
    assert everything(tmp_path / "s") == before


def test_other_files_of_the_same_version_replace_the_old_ones(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")
    old = shown(tmp_path / "s", "muster", "1.0").digest

    done = install(bundle(tmp_path / "b", note="neu"), tmp_path / "s")

    assert statuses(done) == {"muster/1.0": REPLACED}
    assert shown(tmp_path / "s", "muster", "1.0").replaces == old
    assert [path.name for path in (tmp_path / "s/muster/1.0").iterdir()] == ["official"]


def test_a_missing_import_is_named_with_address_and_importer(tmp_path: Path) -> None:
    error = failed(needy(tmp_path / "a"), tmp_path / "s")

    (finding,) = error.findings
    assert (finding.file, finding.line) == ("muster.xsd", 2)
    assert f'"{TYPES}" ({REMOTE})' in finding.text


def test_a_missing_import_of_many_files_is_named_once(tmp_path: Path) -> None:
    more = {f"n{i}.xsd": xsd(OWN, imported(TYPES, REMOTE)) for i in range(9)}

    (finding,) = failed(bundle(tmp_path / "a", **more), tmp_path / "s").findings

    assert finding.text.endswith("and 6 more")


def test_an_import_is_found_in_an_installed_library(tmp_path: Path) -> None:
    install(library(tmp_path / "Muster Typen"), tmp_path / "s")

    install(needy(tmp_path / "a"), tmp_path / "s")

    assert shown(tmp_path / "s", "muster", "1.0").dependencies == ("muster-typen/1.1",)
    Standards.load(tmp_path / "s").compile_all()


def test_a_relative_import_that_leads_out_of_the_bundle_is_found_too(tmp_path: Path) -> None:
    install(library(tmp_path / "typen"), tmp_path / "s")
    extra = imported(TYPES, "../anderswo/typen.xsd") + text("x", "w:Wort")
    source = bundle(tmp_path / "a", extra)
    path = source / "muster.xsd"
    path.write_text(path.read_text().replace("<xs:schema", f'<xs:schema xmlns:w="{TYPES}"', 1))

    done = install(source, tmp_path / "s")

    assert done.changes[0].warnings == ()
    Standards.load(tmp_path / "s").compile_all()


def test_a_library_that_is_needed_is_not_removed(tmp_path: Path) -> None:
    install(library(tmp_path / "typen"), tmp_path / "s")
    install(needy(tmp_path / "a"), tmp_path / "s")

    with pytest.raises(ConfigError, match=r"is needed by muster/1\.0"):
        remove(tmp_path / "s", ["typen/1.1"], {})


def test_a_library_can_be_removed_together_with_what_needs_it(tmp_path: Path) -> None:
    install(library(tmp_path / "typen"), tmp_path / "s")
    install(needy(tmp_path / "a"), tmp_path / "s")

    remove(tmp_path / "s", ["typen/1.1", "muster/1.0"], {})

    assert listed(tmp_path / "s") == ()


def test_a_library_is_not_replaced_by_one_that_lacks_what_others_import(tmp_path: Path) -> None:
    install(library(tmp_path / "typen"), tmp_path / "s")
    install(needy(tmp_path / "a"), tmp_path / "s")
    other = folder(tmp_path / "b/typen", {"anders.xsd": xsd(TYPES, DEEP, version="1.1")})

    assert "which muster/1.0 imports" in str(failed(other, tmp_path / "s"))


@pytest.mark.parametrize(
    ("wrong", "line", "text_"),
    [
        ("<xs:schema", 1, "not well-formed"),
        (xsd(OWN, '\n\n<xs:element name="x" type="t:Nichts"/>'), 4, "Nichts"),
        (xsd(OWN, '\n<xs:element name="x" colour="red"/>'), 3, "colour"),
    ],
)
def test_a_broken_schema_is_named_with_file_line_and_what_is_wrong(
    tmp_path: Path, wrong: str, line: int, text_: str
) -> None:
    error = failed(bundle(tmp_path / "a", **{"d/falsch.xsd": wrong}), tmp_path / "s")

    assert f"d/falsch.xsd:{line}: " in str(error)
    assert text_ in str(error)
    assert str(tmp_path) not in str(error)


def test_a_schema_that_refuses_nothing_is_not_installed(tmp_path: Path) -> None:
    lax = folder(tmp_path / "a", {"a.xsd": xsd(OWN, '<xs:element name="m.0001"/>')})

    assert 'accept a wrong message "m.0001"' in str(failed(lax, tmp_path / "s"))


def test_global_elements_that_all_take_anything_are_not_installed(tmp_path: Path) -> None:
    lax = folder(tmp_path / "a", {"a.xsd": xsd(OWN, '<xs:element name="Plan"/>')})

    assert 'accept a wrong message "Plan"' in str(failed(lax, tmp_path / "s"))


def test_a_bundle_without_schema_is_told(tmp_path: Path) -> None:
    source = folder(tmp_path / "a", {"a.wsdl": "<a/>"})

    assert "no XML schema" in str(failed(source, tmp_path / "s"))


def test_a_bundle_that_says_no_version_is_told(tmp_path: Path) -> None:
    kind = element("m.0001", sequence(text("wort")))
    source = folder(tmp_path / "a", {"a.xsd": xsd("urn:muster", kind)})

    assert 'nor the namespace "urn:muster" say which version' in str(failed(source, tmp_path / "s"))


@pytest.mark.parametrize("entity", ["e SYSTEM '{}'", "% e SYSTEM '{}'", "e PUBLIC 'x' '{}'"])
def test_an_external_entity_in_a_schema_is_refused(tmp_path: Path, entity: str) -> None:
    secret = folder(tmp_path, {"geheim.txt": "GEHEIM-1964"}) / "geheim.txt"
    declared = entity.format(secret.as_uri())
    start = f'<!DOCTYPE xs:schema [<!ENTITY e2 "x"><!ENTITY {declared}>]>\n<xs:schema'
    wrong = xsd(OWN, "<xs:annotation><xs:documentation>&e2;</xs:documentation></xs:annotation>")
    wrong = wrong.replace("<xs:schema", start, 1)

    error = failed(bundle(tmp_path / "a", **{"b.xsd": wrong}), tmp_path / "s")

    assert "entity that lies elsewhere" in str(error)
    assert "GEHEIM" not in str(error)


def test_a_catalog_may_not_lead_out_of_the_standards(tmp_path: Path) -> None:
    outside = library(tmp_path / "outside") / "typen.xsd"
    catalog = '<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">'
    catalog += f'<uri name="{REMOTE}" uri="{outside}"/></catalog>'
    source = bundle(tmp_path / "a", imported(TYPES, REMOTE), **{"catalog.xml": catalog})

    assert "out of the folder of the standards" in str(failed(source, tmp_path / "s"))


def test_two_files_that_other_files_import_for_one_namespace_both_count(tmp_path: Path) -> None:
    first = '<xs:simpleType name="Eins"><xs:restriction base="xs:token"/></xs:simpleType>'
    more = {
        "eins.xsd": xsd(TYPES, first),
        "zwei.xsd": xsd(TYPES, first.replace("Eins", "Zwei")),
        "b.xsd": xsd(OWN, imported(TYPES, "eins.xsd") + text("b", "w:Eins"), f'xmlns:w="{TYPES}"'),
        "c.xsd": xsd(OWN, imported(TYPES, "zwei.xsd") + text("c", "w:Zwei"), f'xmlns:w="{TYPES}"'),
    }

    done = install(bundle(tmp_path / "a", **more), tmp_path / "s")

    # xmlschema, which only explains, cannot read such schemas.
    assert "libxml2 alone" in done.changes[0].warnings[0]
    Standards.load(tmp_path / "s").compile_all()


def test_an_import_without_address_is_found_in_the_bundle(tmp_path: Path) -> None:
    more = {
        "typen.xsd": xsd(TYPES, DEEP),
        "b.xsd": xsd(
            OWN, f'<xs:import namespace="{TYPES}"/>' + text("b", "w:Wort"), f'xmlns:w="{TYPES}"'
        ),
    }

    done = install(bundle(tmp_path / "a", **more), tmp_path / "s")

    assert done.changes[0].warnings == ()
    Standards.load(tmp_path / "s").compile_all()


@pytest.mark.parametrize("shape", ["{}", "../../../../../../../../../..{}", "file://{}"])
def test_an_import_never_reads_a_file_outside(tmp_path: Path, shape: str) -> None:
    secret = folder(tmp_path, {"geheim.xsd": xsd(TYPES, DEEP)}) / "geheim.xsd"

    error = failed(bundle(tmp_path / "a", imported(TYPES, shape.format(secret))), tmp_path / "s")

    assert "is not here" in str(error)


def test_dates_of_the_operator_go_into_the_record_and_count(tmp_path: Path) -> None:
    terms = Terms(valid_from=date(2026, 5, 1), valid_until=date(2026, 10, 31), grace=14)
    install(bundle(tmp_path / "a"), tmp_path / "s", terms)

    found = Standards.load(tmp_path / "s").calendar("muster", "1.0")

    assert (found.valid_from, found.last) == (date(2026, 5, 1), date(2026, 11, 14))


def test_a_name_can_be_given(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s", Terms(name="anders"))

    assert Standards.load(tmp_path / "s").versions("anders") == ("1.0",)


def test_a_description_by_hand_stays_as_it_is(tmp_path: Path) -> None:
    own = "standard: muster\nnamespace: urn:muster:(.*)\n"
    folder(tmp_path / "s", {"muster/standard.yaml": own})

    install(bundle(tmp_path / "a"), tmp_path / "s")

    assert (tmp_path / "s/muster/standard.yaml").read_text() == own
    assert Standards.load(tmp_path / "s").installed("muster", "1.0")


def test_a_generated_description_learns_a_new_spelling(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")
    other = xsd("urn:anders:2", about("Muster", "2")
                + element("m.0001", sequence(text("wort"))))  # fmt: skip

    install(folder(tmp_path / "b", {"m.xsd": other}), tmp_path / "s")

    found = Standards.load(tmp_path / "s")
    assert found.versions("muster") == ("1.0", "2")
    assert (tmp_path / "s/muster/standard.yaml").read_text().count("urn:") == 2


def test_a_removed_bundle_is_gone_and_with_it_its_generated_description(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")

    remove(tmp_path / "s", ["muster/1.0"], {})

    assert everything(tmp_path / "s") == {}
    assert listed(tmp_path / "s") == ()


def test_a_bundle_that_a_route_needs_is_not_removed(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")

    with pytest.raises(ConfigError, match='needed by route "bau"'):
        remove(tmp_path / "s", ["muster/1.0"], {"muster/1.0": ['route "bau"']})
    assert listed(tmp_path / "s")


@pytest.mark.parametrize(("standard", "version"), [("muster", "2"), ("..", "s"), ("a/b", "1")])
def test_what_is_not_installed_cannot_be_shown(tmp_path: Path, standard: str, version: str) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")

    with pytest.raises(ConfigError, match=r"there are: muster 1\.0"):
        shown(tmp_path / "s", standard, version)


def test_files_that_somebody_put_there_are_listed_without_origin(tmp_path: Path) -> None:
    bundle(tmp_path / "s/muster/1.0/official")

    (found,) = listed(tmp_path / "s")

    assert (found.name, found.origin, len(found.files)) == ("muster/1.0", "", 1)


def test_files_that_were_changed_after_the_installation_are_told(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")
    path = tmp_path / "s/muster/1.0/official/muster.xsd"
    path.write_text(path.read_text() + "\n")

    assert "files differ" in Standards.load(tmp_path / "s").altered()[0]


def test_a_broken_record_is_a_finding(tmp_path: Path) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")
    (tmp_path / "s/muster/1.0/official/xoev-broker.json").write_text("{}")

    with pytest.raises(ConfigError, match="is not a record of an installation"):
        Standards.load(tmp_path / "s")


def test_two_installations_at_once_are_refused(tmp_path: Path) -> None:
    source = bundle(tmp_path / "a")
    with place.staging(tmp_path / "s"), pytest.raises(ConfigError, match="another installation"):
        install(source, tmp_path / "s")


def test_a_bundle_that_replaces_judging_files_does_not_change_running_verdicts(
    tmp_path: Path,
) -> None:
    install(bundle(tmp_path / "a"), tmp_path / "s")
    running = Standards.load(tmp_path / "s")
    running.compile_all()
    body = '<m:meldung.0001 xmlns:m="{}"><nachrichtenkopf.g2g/><{}/></m:meldung.0001>'
    lax = xsd(OWN, about("Muster", "1.0") + element("meldung.0001", sequence(
        text("nachrichtenkopf.g2g"), text("anders"))))  # fmt: skip
    install(folder(tmp_path / "b", {"muster.xsd": lax}), tmp_path / "s")
    document = running.parse(body.format(OWN, "anders").encode())

    with pytest.raises(BrokerError, match="does not follow its schema"):
        running.validate(document, running.envelope(document), AT)


def killed_at(step: int, source: Path, target: Path) -> bool:
    """Install in a child that kills itself at the n-th rename or fsync; say whether it died."""
    child = os.fork()
    if child == 0:
        _deadly(step)
        install(source, target)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _deadly(step: int) -> None:
    left = [step]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    rename, fsync = Path.rename, os.fsync

    def renaming(self: Path, target: Path) -> Path:
        count()
        done = rename(self, target)
        count()
        return done

    def syncing(handle: int) -> None:
        count()
        fsync(handle)

    Path.rename = renaming  # type: ignore[method-assign,assignment]
    os.fsync = syncing  # type: ignore[assignment]


@pytest.mark.crash
@pytest.mark.parametrize("before", [False, True])
def test_killed_at_any_point_the_old_bundle_or_the_new_one_is_there(
    tmp_path: Path, before: bool
) -> None:
    target, new = tmp_path / "s", bundle(tmp_path / "b", note="neu")
    wanted = install(new, tmp_path / "other").changes[0].record.digest
    old = install(bundle(tmp_path / "a"), tmp_path / "third").changes[0].record.digest
    seen = set()
    for step in range(100):
        shutil.rmtree(target, ignore_errors=True)
        if before:
            install(tmp_path / "a", target)
        died = killed_at(step, new, target)
        standards = Standards.load(target)
        standards.compile_all()
        found = (standards.bundle("muster", "1.0").digest
                 if standards.installed("muster", "1.0") else "")  # fmt: skip
        seen.add(found)
        assert statuses(install(new, target))["muster/1.0"] in (INSTALLED, REPLACED, ALREADY)
        assert not list(target.rglob(".staging*")) + list(target.rglob(".previous"))
        if not died:
            break
    assert seen == {wanted, old if before else ""}


GML = ("gmlProfilexplan.xsd", "xlink.xsd", "xml.xsd")
BUNDLES = (
    ("xoev-bibliothek", {"xoev-bibliothek/0.51dfd2e2": INSTALLED}),
    ("xbau-kernmodul_1.3.0/xsd", {"xbau-kernmodul/1.3.0": INSTALLED}),
    ("xbau-kernmodul_1.2.2/xsd", {"xbau-kernmodul/1.2.2": INSTALLED}),
    ("xbau_2.6/xsd", {"xbau/2.6": INSTALLED}),
    ("xbau_2.5/xsd", {"xbau/2.5": INSTALLED}),
    ("xbau_2.5/xsd_dev", {"xbau/2.5": REPLACED, "xbau-kernmodul/1.2.2": KEPT}),
    ("xbau_2.6/xsd_dev", {"xbau/2.6": REPLACED, "xbau-kernmodul/1.3.0": KEPT}),
    ("xbau_2.6", {"xbau/2.6": REPLACED, "xbau-kernmodul/1.3.0": KEPT}),
    ("xbau_2.6", {"xbau/2.6": ALREADY, "xbau-kernmodul/1.3.0": KEPT}),
    ("xdomea_2.3.0/xsd", {"xdomea/2.3.0": INSTALLED}),
    ("xdomea_2.4.0", {"xdomea/2.4.0": INSTALLED}),
    ("xdomea_3.0.0", {"xdomea/3.0.0": INSTALLED}),
    ("xdomea_3.1.0", {"xdomea/3.1.0": INSTALLED}),
)


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return our schemas with every official bundle of the reference data."""
    target = tmp_path_factory.mktemp("real") / "schemas"
    shutil.copytree(SCHEMAS, target)
    gml = folder(
        tmp_path_factory.mktemp("gml") / "gml-profil",
        {name: (shared / "xoev/xbau_2.6/xsd_dev" / name).read_bytes() for name in GML},
    )
    install(gml, target)
    for name, expected in BUNDLES:
        assert statuses(install(shared / "xoev" / name, target)) == expected
    return target


def verdict(standards: Standards, path: Path) -> str:
    document = standards.parse(path.read_bytes())
    try:
        return standards.validate(document, standards.envelope(document), AT).name
    except BrokerError as error:
        return error.reason


def test_all_official_bundles_install_one_after_the_other(real: Path, shared: Path) -> None:
    standards = Standards.load(real)
    standards.compile_all()

    assert {verdict(standards, path) for path in samples(shared)} == {
        "xbau/2.6/official",
        "xbau-kernmodul/1.3.0/official",
    }
    assert standards.versions("xbau") == ("2.5", "2.6")
    assert standards.versions("xdomea") == ("2.3.0", "2.4.0", "3.0.0", "3.1.0")
    assert not [text for text in standards.warnings() if text.startswith("xbau")]
    assert standards.altered() == ()


def test_invalid_samples_have_their_reasons(real: Path, shared: Path) -> None:
    standards = Standards.load(real)
    invalid = shared / "xoev/xbau_2.6/samples/synthetic"

    assert {verdict(standards, path) for path in invalid.glob("INVALID_x001*")} == {"X001"}
    assert {verdict(standards, path) for path in invalid.glob("INVALID_v000*")} == {"V000"}


def test_xdomea_samples_are_judged_by_their_own_version(real: Path, shared: Path) -> None:
    standards = Standards.load(real)
    paths = sorted(shared.glob("xoev/xdomea_*/samples/lavnrw/*.xml"))

    found = {path.parts[-4]: verdict(standards, path) for path in paths}

    assert found["xdomea_3.0.0"] == "xdomea/3.0.0/official"
    assert found["xdomea_4.0.0"] == "V000"


def test_a_version_that_was_not_installed_is_missing_and_then_installed(
    shared: Path, tmp_path: Path
) -> None:
    folder(tmp_path / "s", {"xbau/standard.yaml": (SCHEMAS / "xbau/standard.yaml").read_text()})
    raw = letter(namespace="http://www.xleitstelle.de/xbau/2/5", version="2.5")
    standards = Standards.load(tmp_path / "s")
    document = standards.parse(raw)
    with pytest.raises(SchemaMissing):
        standards.validate(document, standards.envelope(document), AT)

    install(shared / "xoev/xbau_2.5/xsd_dev", tmp_path / "s")

    assert Standards.load(tmp_path / "s").installed("xbau", "2.5")


def test_a_bundle_with_absolute_imports_names_all_that_it_lacks(
    shared: Path, tmp_path: Path
) -> None:
    shutil.copytree(SCHEMAS, tmp_path / "s")

    error = failed(shared / "xoev/xbau_2.6/xsd", tmp_path / "s")

    named = {finding.text.partition("(")[2].partition(")")[0] for finding in error.findings}
    assert "http://xoev.de/latinchars/1_1/datatypes/latinchars.xsd" in named
    assert len(named) == len(error.findings) >= 6


def test_the_whole_reference_data_installs_as_one_folder(shared: Path, tmp_path: Path) -> None:
    done = install(shared / "xoev", tmp_path / "s")

    assert set(statuses(done).values()) == {INSTALLED}
    assert len(done.changes) == 8
    Standards.load(tmp_path / "s").compile_all()


def test_mini_bundles_and_a_record_survive_a_round_trip(tmp_path: Path) -> None:
    shape = shapes()["xwasser/1.0.0"]
    install(folder(tmp_path / "a", shape.files), tmp_path / "s")

    done = install(tmp_path / "s/xwasser/1.0.0/official", tmp_path / "t")

    first, second = listed(tmp_path / "s")[0], done.changes[0].record
    same = {"origin": "", "installed_at": ""}
    assert replace(first, **same) == replace(second, **same)  # type: ignore[arg-type]


def test_of_several_standards_each_gets_the_files_that_lie_beside_it(tmp_path: Path) -> None:
    shape = shapes()["xschule/1.0"]
    muster = bundle(tmp_path / "all/muster/xsd")
    folder(tmp_path / "all", {"muster/regeln/r.sch": "<r/>", "liesmich.txt": "x"})
    folder(tmp_path / "all/schule", {**shape.files, "dienst.wsdl": "<d/>"})

    install(tmp_path / "all", tmp_path / "s")

    found = {one.standard: set(one.files) for one in listed(tmp_path / "s")}
    assert muster.is_dir()
    assert found["muster"] == {"muster/xsd/muster.xsd", "muster/regeln/r.sch"}
    assert found["xschule"] == {"schule/xschule.xsd", "schule/dienst.wsdl", "liesmich.txt"}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file")

    with pytest.raises(ConfigError, match="cannot be read or written"):
        install(bundle(tmp_path / "a"), tmp_path / "s")
