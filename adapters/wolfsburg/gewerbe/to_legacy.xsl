<?xml version="1.0" encoding="UTF-8"?>
<!-- Notice of a trade → records of Wolfsburg's CSV file (anzeige.csv): a line for each person of each notice. -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xga="http://www.xgewerbeanzeige.de/spezifikation/2.2"
    exclude-result-prefixes="xga">

  <xsl:import href="../../shared/gewerbe/anzeige.xsl"/>

  <xsl:template match="/*">
    <records><xsl:apply-templates select="$anzeigen"/></records>
  </xsl:template>

  <xsl:template match="xga:anmeldung | xga:ummeldung | xga:abmeldung">
    <xsl:apply-templates select="xga:gewerbe/xga:beteiligtePerson"/>
  </xsl:template>

  <!-- A company may have no persons: it gets one line all the same. -->
  <xsl:template match="*[self::xga:anmeldung or self::xga:ummeldung or self::xga:abmeldung][not(xga:gewerbe/xga:beteiligtePerson)]">
    <zeile><xsl:apply-templates select="." mode="anzeige"/></zeile>
  </xsl:template>

  <xsl:template match="xga:beteiligtePerson">
    <zeile>
      <xsl:apply-templates select="../.." mode="anzeige"/>
      <LFD_NR><xsl:value-of select="count(preceding-sibling::xga:beteiligtePerson) + 1"/></LFD_NR>
      <FAMILIENNAME><xsl:apply-templates select="." mode="familienname"/></FAMILIENNAME>
      <VORNAME><xsl:value-of select="normalize-space(xga:vorname)"/></VORNAME>
      <GEBOREN><xsl:apply-templates select="xga:geburtsdatum" mode="datum"/></GEBOREN>
      <xsl:apply-templates select="xga:anschrift"/>
      <TELEFON><xsl:apply-templates select="." mode="telefon"/></TELEFON>
    </zeile>
  </xsl:template>

  <xsl:template match="xga:anschrift">
    <WOHN_STRASSE><xsl:apply-templates select="." mode="strasse"/></WOHN_STRASSE>
    <WOHN_PLZ><xsl:value-of select="normalize-space(xga:plz)"/></WOHN_PLZ>
    <WOHN_ORT><xsl:value-of select="normalize-space(xga:ort)"/></WOHN_ORT>
  </xsl:template>

  <xsl:template match="xga:anmeldung | xga:ummeldung | xga:abmeldung" mode="anzeige">
    <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
    <ART><xsl:apply-templates select="." mode="art"/></ART>
    <GRUND><xsl:apply-templates select="." mode="grund"/></GRUND>
    <KORREKTUR><xsl:value-of select="normalize-space(xga:istKorrektur/code)"/></KORREKTUR>
    <NUMMER><xsl:value-of select="normalize-space(xga:gemeindeMeldungNr)"/></NUMMER>
    <BETRIEB_ID><xsl:value-of select="normalize-space(xga:gewerbebetriebID)"/></BETRIEB_ID>
    <GEMELDET><xsl:value-of select="normalize-space(xga:datumMeldung)"/></GEMELDET>
    <GUELTIG_AB><xsl:value-of select="normalize-space(xga:gueltigAb)"/></GUELTIG_AB>
    <BETRIEB><xsl:apply-templates select="xga:gewerbe" mode="name"/></BETRIEB>
    <RECHTSFORM><xsl:apply-templates select="xga:gewerbe" mode="rechtsform"/></RECHTSFORM>
    <REGISTER_NR><xsl:value-of select="normalize-space(xga:gewerbe/xga:betrieb/xga:eintragungNr)"/></REGISTER_NR>
    <NIEDERLASSUNG><xsl:apply-templates select="xga:gewerbe" mode="niederlassung"/></NIEDERLASSUNG>
    <NEBENERWERB><xsl:value-of select="normalize-space(xga:gewerbe/xga:istNebenerwerb/code)"/></NEBENERWERB>
    <VOLLZEIT><xsl:value-of select="normalize-space(xga:gewerbe/xga:anzahlVollzeitBeschaeftigte)"/></VOLLZEIT>
    <TEILZEIT><xsl:value-of select="normalize-space(xga:gewerbe/xga:anzahlTeilzeitBeschaeftigte)"/></TEILZEIT>
    <STRASSE><xsl:apply-templates select="xga:gewerbe/xga:anschrift" mode="strasse"/></STRASSE>
    <PLZ><xsl:value-of select="normalize-space(xga:gewerbe/xga:anschrift/xga:plz)"/></PLZ>
    <ORT><xsl:value-of select="normalize-space(xga:gewerbe/xga:anschrift/xga:ort)"/></ORT>
    <TAETIGKEIT><xsl:apply-templates select="xga:taetigkeitenGesamt" mode="schwerpunkt"/></TAETIGKEIT>
    <TAETIGKEIT_NR><xsl:value-of select="normalize-space(xga:taetigkeitenGesamt/xga:schwerpunkt/xga:taetigkeitSchluessel)"/></TAETIGKEIT_NR>
    <WEITERE><xsl:value-of select="normalize-space(xga:taetigkeitenGesamt/xga:weitereTaetigkeiten/xga:taetigkeitenZusammengefasst)"/></WEITERE>
  </xsl:template>
</xsl:stylesheet>
