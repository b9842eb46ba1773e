<?xml version="1.0" encoding="UTF-8"?>
<!--
  Notice of a trade → the structure of Salzgitter's JSON, which adapter.py writes. "type" says what an element
  becomes: list, number or boolean; without it an element with children is an object, any other a text. An element
  that is left out is left out there too.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xga="http://www.xgewerbeanzeige.de/spezifikation/2.2"
    exclude-result-prefixes="xga">

  <xsl:import href="../../shared/gewerbe/anzeige.xsl"/>
  <xsl:param name="mandant"/>

  <xsl:template match="/*">
    <vorgang>
      <referenz><xsl:value-of select="$reference"/></referenz>
      <mandant><xsl:value-of select="$mandant"/></mandant>
      <eingang><xsl:value-of select="$received"/></eingang>
      <test type="boolean"><xsl:value-of select="number($testing)"/></test>
      <anzeigen type="list"><xsl:apply-templates select="$anzeigen"/></anzeigen>
    </vorgang>
  </xsl:template>

  <xsl:template match="xga:anmeldung | xga:ummeldung | xga:abmeldung">
    <anzeige>
      <art><xsl:apply-templates select="." mode="art"/></art>
      <grund><xsl:apply-templates select="." mode="grund"/></grund>
      <xsl:apply-templates select="xga:istKorrektur | xga:gemeindeMeldungNr | xga:gewerbebetriebID | xga:datumMeldung | xga:gueltigAb"/>
      <xsl:apply-templates select="xga:gewerbe"/>
      <taetigkeiten type="list"><xsl:apply-templates select="xga:taetigkeitenGesamt"/></taetigkeiten>
      <personen type="list"><xsl:apply-templates select="xga:gewerbe/xga:beteiligtePerson"/></personen>
    </anzeige>
  </xsl:template>

  <xsl:template match="xga:istKorrektur">
    <korrektur type="boolean"><xsl:value-of select="normalize-space(code)"/></korrektur>
  </xsl:template>

  <xsl:template match="xga:gemeindeMeldungNr"><nummer><xsl:value-of select="normalize-space(.)"/></nummer></xsl:template>

  <xsl:template match="xga:gewerbebetriebID"><betriebId><xsl:value-of select="normalize-space(.)"/></betriebId></xsl:template>

  <xsl:template match="xga:datumMeldung"><meldedatum><xsl:value-of select="normalize-space(.)"/></meldedatum></xsl:template>

  <xsl:template match="xga:gueltigAb"><gueltigAb><xsl:value-of select="normalize-space(.)"/></gueltigAb></xsl:template>

  <xsl:template match="xga:gewerbe">
    <betrieb>
      <name><xsl:apply-templates select="." mode="name"/></name>
      <rechtsform><xsl:apply-templates select="." mode="rechtsform"/></rechtsform>
      <xsl:apply-templates select="xga:betrieb[xga:eintragungNr]" mode="register"/>
      <niederlassung><xsl:apply-templates select="." mode="niederlassung"/></niederlassung>
      <reisegewerbe type="boolean"><xsl:value-of select="normalize-space(xga:istReisegewerbe/code)"/></reisegewerbe>
      <nebenerwerb type="boolean"><xsl:value-of select="normalize-space(xga:istNebenerwerb/code)"/></nebenerwerb>
      <bereiche type="list"><xsl:apply-templates select="xga:betriebArt/*[code = '1']"/></bereiche>
      <xsl:apply-templates select="xga:anzahlVollzeitBeschaeftigte | xga:anzahlTeilzeitBeschaeftigte"/>
      <xsl:apply-templates select="xga:anschrift"/>
      <xsl:apply-templates select="." mode="kontakt"/>
    </betrieb>
  </xsl:template>

  <xsl:template match="xga:betrieb" mode="register">
    <register>
      <art><xsl:value-of select="normalize-space(xga:eintragungArt/code)"/></art>
      <nummer><xsl:value-of select="normalize-space(xga:eintragungNr)"/></nummer>
      <ort><xsl:value-of select="normalize-space(xga:eintragungOrt)"/></ort>
    </register>
  </xsl:template>

  <xsl:template match="xga:industrie"><bereich>INDUSTRIE</bereich></xsl:template>

  <xsl:template match="xga:handwerk"><bereich>HANDWERK</bereich></xsl:template>

  <xsl:template match="xga:handel"><bereich>HANDEL</bereich></xsl:template>

  <xsl:template match="xga:sonstiges"><bereich>SONSTIGES</bereich></xsl:template>

  <xsl:template match="xga:anzahlVollzeitBeschaeftigte">
    <vollzeit type="number"><xsl:value-of select="normalize-space(.)"/></vollzeit>
  </xsl:template>

  <xsl:template match="xga:anzahlTeilzeitBeschaeftigte">
    <teilzeit type="number"><xsl:value-of select="normalize-space(.)"/></teilzeit>
  </xsl:template>

  <xsl:template match="xga:anschrift">
    <anschrift>
      <strasse><xsl:apply-templates select="." mode="strasse"/></strasse>
      <plz><xsl:value-of select="normalize-space(xga:plz)"/></plz>
      <ort><xsl:value-of select="normalize-space(xga:ort)"/></ort>
    </anschrift>
  </xsl:template>

  <xsl:template match="xga:gewerbe | xga:beteiligtePerson" mode="kontakt">
    <xsl:variable name="mail"><xsl:apply-templates select="." mode="mail"/></xsl:variable>
    <xsl:variable name="telefon"><xsl:apply-templates select="." mode="telefon"/></xsl:variable>
    <xsl:if test="string($mail)"><email><xsl:value-of select="$mail"/></email></xsl:if>
    <xsl:if test="string($telefon)"><telefon><xsl:value-of select="$telefon"/></telefon></xsl:if>
  </xsl:template>

  <!-- The main activity, then the others: "a|b|c" becomes one entry each. -->
  <xsl:template match="xga:taetigkeitenGesamt">
    <taetigkeit>
      <text><xsl:apply-templates select="." mode="schwerpunkt"/></text>
      <xsl:apply-templates select="xga:schwerpunkt/xga:taetigkeitSchluessel"/>
      <schwerpunkt type="boolean">1</schwerpunkt>
    </taetigkeit>
    <xsl:apply-templates select="xga:weitereTaetigkeiten/xga:taetigkeitenZusammengefasst"/>
  </xsl:template>

  <xsl:template match="xga:taetigkeitSchluessel">
    <schluessel><xsl:value-of select="normalize-space(.)"/></schluessel>
  </xsl:template>

  <xsl:template match="xga:taetigkeitenZusammengefasst" name="weitere">
    <xsl:param name="liste" select="concat(normalize-space(.), '|')"/>
    <xsl:variable name="eine" select="normalize-space(substring-before($liste, '|'))"/>
    <xsl:variable name="rest" select="substring-after($liste, '|')"/>
    <xsl:if test="$eine">
      <taetigkeit>
        <text><xsl:value-of select="$eine"/></text>
        <schwerpunkt type="boolean">0</schwerpunkt>
      </taetigkeit>
    </xsl:if>
    <xsl:if test="$rest">
      <xsl:call-template name="weitere"><xsl:with-param name="liste" select="$rest"/></xsl:call-template>
    </xsl:if>
  </xsl:template>

  <xsl:template match="xga:beteiligtePerson">
    <person>
      <familienname><xsl:apply-templates select="." mode="familienname"/></familienname>
      <vorname><xsl:value-of select="normalize-space(xga:vorname)"/></vorname>
      <xsl:apply-templates select="xga:geburtsname | xga:geburtsdatum | xga:geburtsort"/>
      <xsl:apply-templates select="xga:anschrift"/>
      <xsl:apply-templates select="." mode="kontakt"/>
    </person>
  </xsl:template>

  <xsl:template match="xga:geburtsname"><geburtsname><xsl:value-of select="normalize-space(.)"/></geburtsname></xsl:template>

  <xsl:template match="xga:geburtsdatum"><geburtsdatum><xsl:apply-templates select="." mode="datum"/></geburtsdatum></xsl:template>

  <xsl:template match="xga:geburtsort"><geburtsort><xsl:value-of select="normalize-space(.)"/></geburtsort></xsl:template>
</xsl:stylesheet>
