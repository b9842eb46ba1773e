<?xml version="1.0" encoding="UTF-8"?>
<!-- Application 0200 → rows of Salzgitter's staging tables (tables.sql, spalten.csv). -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="xbau x">

  <xsl:import href="../../shared/bau/antrag.xsl"/>
  <xsl:param name="mandant"/>

  <xsl:template match="xbau:baugenehmigung.antrag.0200">
    <zeilen>
      <xsl:apply-templates select="xbau:bauvorhaben"/>
      <xsl:apply-templates select="xbau:antragsteller/*"/>
      <xsl:apply-templates select="xbau:anlagen/anlage"/>
    </zeilen>
  </xsl:template>

  <xsl:template match="xbau:bauvorhaben">
    <xsl:variable name="plots" select="xbau:verortung/xbau:baugrundstueck/xbau:grundstueck"/>
    <ANTRAG_EINGANG>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <MANDANT><xsl:value-of select="$mandant"/></MANDANT>
      <EINGANG_AM><xsl:value-of select="substring($received, 1, 10)"/></EINGANG_AM>
      <VORHABEN><xsl:apply-templates select="." mode="bezeichnung"/></VORHABEN>
      <MASSNAHME><xsl:value-of select="x:code('massnahme', xbau:gegenstand/xbau:artDerMassnahme[1]/code)"/></MASSNAHME>
      <xsl:apply-templates select="../xbau:prozessmerkmale/xbau:verfahrensart"/>
      <xsl:apply-templates select="$plots/xbau:anschrift[1]"/>
      <FLURSTUECKE><xsl:apply-templates select="$plots/xbau:flurstueck"/></FLURSTUECKE>
    </ANTRAG_EINGANG>
  </xsl:template>

  <xsl:template match="xbau:verfahrensart">
    <VERFAHREN><xsl:value-of select="x:code('verfahrensart', code)"/></VERFAHREN>
  </xsl:template>

  <!-- The address of the building site: only that of the first plot. -->
  <xsl:template match="xbau:anschrift">
    <xsl:if test="position() = 1">
      <STRASSE><xsl:value-of select="normalize-space(concat(strasse, ' ', hausnummer, strasseHausnummer))"/></STRASSE>
      <PLZ><xsl:value-of select="normalize-space(postleitzahl)"/></PLZ>
      <ORT><xsl:value-of select="normalize-space(ort)"/></ORT>
    </xsl:if>
  </xsl:template>

  <!-- All plots in one column: 1234, Flur 5, 17/3; 1234, Flur 5, 18 -->
  <xsl:template match="xbau:flurstueck">
    <xsl:if test="position() &gt; 1">; </xsl:if>
    <xsl:apply-templates select="kodierungFlurstueck/gemarkung" mode="gemarkung"/>
    <xsl:apply-templates select="kodierungFlurstueck/flur"/>
    <xsl:value-of select="concat(', ', normalize-space(kodierungFlurstueck/zaehler))"/>
    <xsl:apply-templates select="kodierungFlurstueck/nenner"/>
  </xsl:template>

  <xsl:template match="flur">
    <xsl:value-of select="concat(', Flur ', normalize-space(.))"/>
  </xsl:template>

  <xsl:template match="nenner">
    <xsl:value-of select="concat('/', normalize-space(.))"/>
  </xsl:template>

  <xsl:template match="natuerlichePerson | organisation">
    <ANTRAG_PERSON>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <LFD_NR><xsl:value-of select="count(../preceding-sibling::xbau:antragsteller) + 1"/></LFD_NR>
      <ART><xsl:apply-templates select="." mode="art"/></ART>
      <NAME><xsl:apply-templates select="." mode="nachname"/></NAME>
      <VORNAME><xsl:apply-templates select="." mode="vorname"/></VORNAME>
      <xsl:apply-templates select="anschrift[1]"/>
      <EMAIL><xsl:apply-templates select="." mode="mail"/></EMAIL>
      <TELEFON><xsl:apply-templates select="." mode="telefon"/></TELEFON>
    </ANTRAG_PERSON>
  </xsl:template>

  <xsl:template match="anschrift">
    <STRASSE><xsl:apply-templates select="." mode="strasse"/></STRASSE>
    <PLZ><xsl:value-of select="normalize-space(postleitzahl)"/></PLZ>
    <ORT><xsl:value-of select="normalize-space(ort)"/></ORT>
  </xsl:template>

  <xsl:template match="anlage">
    <ANTRAG_ANLAGE>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <LFD_NR><xsl:value-of select="position()"/></LFD_NR>
      <BEZEICHNUNG><xsl:value-of select="normalize-space(bezeichnung)"/></BEZEICHNUNG>
      <DATEINAME><xsl:apply-templates select="anhangOderVerlinkung" mode="dateiname"/></DATEINAME>
      <MIMETYPE><xsl:value-of select="normalize-space(mimeType/code)"/></MIMETYPE>
      <VERWEIS><xsl:apply-templates select="anhangOderVerlinkung" mode="verweis"/></VERWEIS>
      <INHALT><xsl:apply-templates select="anhangOderVerlinkung" mode="inhalt"/></INHALT>
    </ANTRAG_ANLAGE>
  </xsl:template>
</xsl:stylesheet>
