<?xml version="1.0" encoding="UTF-8"?>
<!-- Application 0200 → AntragAnlegen of Wolfsburg's SOAP interface (bau.wsdl). -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:x="urn:xoev-broker:adapter"
    xmlns="urn:wolfsburg:bauantrag:1"
    exclude-result-prefixes="xbau x">

  <xsl:import href="../../shared/bau/antrag.xsl"/>
  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>
  <xsl:param name="mandant"/>

  <xsl:template match="xbau:baugenehmigung.antrag.0200">
    <AntragAnlegen>
      <Referenz><xsl:value-of select="$reference"/></Referenz>
      <Mandant><xsl:value-of select="$mandant"/></Mandant>
      <Vorhaben><xsl:apply-templates select="xbau:bauvorhaben" mode="bezeichnung"/></Vorhaben>
      <Art><xsl:apply-templates select="xbau:bauvorhaben/xbau:gegenstand" mode="art"/></Art>
      <xsl:apply-templates select="xbau:prozessmerkmale/xbau:verfahrensart"/>
      <xsl:apply-templates select="xbau:antragsteller"/>
      <xsl:apply-templates select="xbau:bauvorhaben/xbau:verortung/xbau:baugrundstueck/xbau:grundstueck/xbau:flurstueck"/>
      <xsl:apply-templates select="xbau:anlagen/anlage"/>
    </AntragAnlegen>
  </xsl:template>

  <xsl:template match="xbau:gegenstand" mode="art">
    <xsl:value-of select="x:code('massnahme', xbau:artDerMassnahme[1]/code)"/>
  </xsl:template>

  <xsl:template match="xbau:verfahrensart">
    <Verfahren><xsl:value-of select="x:code('verfahrensart', code)"/></Verfahren>
  </xsl:template>

  <xsl:template match="xbau:antragsteller">
    <Antragsteller><xsl:apply-templates select="*"/></Antragsteller>
  </xsl:template>

  <xsl:template match="xbau:antragsteller/natuerlichePerson">
    <Person>
      <Nachname><xsl:apply-templates select="." mode="nachname"/></Nachname>
      <xsl:apply-templates select="name/vorname/name"/>
      <xsl:apply-templates select="anschrift"/>
      <xsl:apply-templates select="kommunikation[kanal/code = '01'][1]"/>
    </Person>
  </xsl:template>

  <xsl:template match="xbau:antragsteller/organisation">
    <Organisation>
      <Name><xsl:apply-templates select="." mode="nachname"/></Name>
      <xsl:apply-templates select="anschrift[1]"/>
      <xsl:apply-templates select="kommunikation[kanal/code = '01'][1]"/>
    </Organisation>
  </xsl:template>

  <xsl:template match="vorname/name">
    <Vorname><xsl:value-of select="normalize-space(.)"/></Vorname>
  </xsl:template>

  <xsl:template match="anschrift">
    <Anschrift>
      <Strasse><xsl:apply-templates select="." mode="strasse"/></Strasse>
      <PLZ><xsl:value-of select="normalize-space(postleitzahl)"/></PLZ>
      <Ort><xsl:value-of select="normalize-space(ort)"/></Ort>
    </Anschrift>
  </xsl:template>

  <xsl:template match="kommunikation">
    <EMail><xsl:value-of select="normalize-space(kennung)"/></EMail>
  </xsl:template>

  <xsl:template match="xbau:flurstueck">
    <Grundstueck>
      <Gemarkung><xsl:apply-templates select="kodierungFlurstueck/gemarkung" mode="gemarkung"/></Gemarkung>
      <xsl:apply-templates select="kodierungFlurstueck/*[not(self::gemarkung)]"/>
    </Grundstueck>
  </xsl:template>

  <xsl:template match="flur"><Flur><xsl:value-of select="normalize-space(.)"/></Flur></xsl:template>

  <xsl:template match="zaehler"><Zaehler><xsl:value-of select="normalize-space(.)"/></Zaehler></xsl:template>

  <xsl:template match="nenner"><Nenner><xsl:value-of select="normalize-space(.)"/></Nenner></xsl:template>

  <xsl:template match="folge"/>

  <xsl:template match="anlage">
    <Anlage>
      <Bezeichnung><xsl:value-of select="normalize-space(bezeichnung)"/></Bezeichnung>
      <Dateiname><xsl:apply-templates select="anhangOderVerlinkung" mode="dateiname"/></Dateiname>
      <MimeType><xsl:value-of select="normalize-space(mimeType/code)"/></MimeType>
      <xsl:apply-templates select="anhangOderVerlinkung"/>
    </Anlage>
  </xsl:template>

  <xsl:template match="anhangOderVerlinkung">
    <Verweis><xsl:apply-templates select="." mode="verweis"/></Verweis>
  </xsl:template>

  <xsl:template match="anhangOderVerlinkung[starts-with(verlinkung/uriVerlinkung, 'data:')]">
    <Inhalt><xsl:apply-templates select="." mode="inhalt"/></Inhalt>
  </xsl:template>
</xsl:stylesheet>
