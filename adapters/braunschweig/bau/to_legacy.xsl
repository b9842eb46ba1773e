<?xml version="1.0" encoding="UTF-8"?>
<!-- Application 0200 → records of Braunschweig's batch file (antrag.csv says how they are written). -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="xbau x">

  <xsl:import href="../../shared/bau/antrag.xsl"/>
  <xsl:param name="mandant"/>

  <xsl:template match="xbau:baugenehmigung.antrag.0200">
    <xsl:variable name="plots" select="xbau:bauvorhaben/xbau:verortung/xbau:baugrundstueck/xbau:grundstueck/xbau:flurstueck"/>
    <records>
      <xsl:apply-templates select="xbau:bauvorhaben"/>
      <xsl:apply-templates select="xbau:antragsteller/*"/>
      <xsl:apply-templates select="$plots"/>
      <xsl:apply-templates select="xbau:anlagen/anlage"/>
      <S>
        <antragsteller><xsl:value-of select="count(xbau:antragsteller)"/></antragsteller>
        <grundstuecke><xsl:value-of select="count($plots)"/></grundstuecke>
        <anlagen><xsl:value-of select="count(xbau:anlagen/anlage)"/></anlagen>
      </S>
    </records>
  </xsl:template>

  <xsl:template match="xbau:bauvorhaben">
    <K>
      <referenz><xsl:value-of select="$reference"/></referenz>
      <eingang><xsl:value-of select="substring($received, 1, 10)"/></eingang>
      <mandant><xsl:value-of select="$mandant"/></mandant>
      <massnahme><xsl:value-of select="x:code('massnahme', xbau:gegenstand/xbau:artDerMassnahme[1]/code)"/></massnahme>
      <xsl:apply-templates select="../xbau:prozessmerkmale/xbau:verfahrensart"/>
      <xsl:apply-templates select="xbau:gegenstand//xbau:gebaeudeklasse"/>
      <vorhaben><xsl:apply-templates select="." mode="bezeichnung"/></vorhaben>
    </K>
  </xsl:template>

  <xsl:template match="xbau:verfahrensart">
    <verfahren><xsl:value-of select="x:code('verfahrensart', code)"/></verfahren>
  </xsl:template>

  <xsl:template match="xbau:gebaeudeklasse">
    <klasse><xsl:value-of select="normalize-space(code)"/></klasse>
  </xsl:template>

  <xsl:template match="natuerlichePerson | organisation">
    <A>
      <nummer><xsl:value-of select="count(../preceding-sibling::xbau:antragsteller) + 1"/></nummer>
      <art><xsl:apply-templates select="." mode="art"/></art>
      <nachname><xsl:apply-templates select="." mode="nachname"/></nachname>
      <vorname><xsl:apply-templates select="." mode="vorname"/></vorname>
      <xsl:apply-templates select="anschrift[1]"/>
      <mail><xsl:apply-templates select="." mode="mail"/></mail>
    </A>
  </xsl:template>

  <xsl:template match="anschrift">
    <strasse><xsl:apply-templates select="." mode="strasse"/></strasse>
    <plz><xsl:value-of select="normalize-space(postleitzahl)"/></plz>
    <ort><xsl:value-of select="normalize-space(ort)"/></ort>
  </xsl:template>

  <xsl:template match="xbau:flurstueck">
    <G>
      <nummer><xsl:value-of select="position()"/></nummer>
      <gemarkung><xsl:apply-templates select="kodierungFlurstueck/gemarkung" mode="gemarkung"/></gemarkung>
      <flur><xsl:value-of select="normalize-space(kodierungFlurstueck/flur)"/></flur>
      <zaehler><xsl:value-of select="normalize-space(kodierungFlurstueck/zaehler)"/></zaehler>
      <nenner><xsl:value-of select="normalize-space(kodierungFlurstueck/nenner)"/></nenner>
    </G>
  </xsl:template>

  <xsl:template match="anlage">
    <D>
      <nummer><xsl:value-of select="position()"/></nummer>
      <bezeichnung><xsl:value-of select="normalize-space(bezeichnung)"/></bezeichnung>
      <datei><xsl:apply-templates select="anhangOderVerlinkung" mode="dateiname"/></datei>
      <art><xsl:value-of select="normalize-space(mimeType/code)"/></art>
      <verweis><xsl:apply-templates select="anhangOderVerlinkung" mode="verweis"/></verweis>
    </D>
    <xsl:apply-templates select="anhangOderVerlinkung[starts-with(verlinkung/uriVerlinkung, 'data:')]">
      <xsl:with-param name="nummer" select="position()"/>
    </xsl:apply-templates>
  </xsl:template>

  <xsl:template match="anhangOderVerlinkung">
    <xsl:param name="nummer"/>
    <I>
      <nummer><xsl:value-of select="$nummer"/></nummer>
      <inhalt><xsl:apply-templates select="." mode="inhalt"/></inhalt>
    </I>
  </xsl:template>
</xsl:stylesheet>
