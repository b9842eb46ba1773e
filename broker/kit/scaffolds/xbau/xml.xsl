<?xml version="1.0" encoding="UTF-8"?>
<!-- Application 0200 (XBau 2.6) → Antrag, as @title@'s procedure takes it. Change names and fields to those of yours. -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:x="urn:xoev-broker:adapter"
    xmlns="@namespace@"
    exclude-result-prefixes="xbau x">

  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>
  <xsl:param name="reference"/>
  <xsl:param name="received"/>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">this procedure takes applications for a building permit (0200) only</xsl:message>
  </xsl:template>

  <xsl:template match="xbau:baugenehmigung.antrag.0200">
    <Antrag>
      <Referenz><xsl:value-of select="$reference"/></Referenz>
      <Eingang><xsl:value-of select="substring($received, 1, 10)"/></Eingang>
      <xsl:apply-templates select="xbau:bauvorhaben"/>
      <xsl:apply-templates select="xbau:antragsteller/*"/>
      <xsl:apply-templates select="xbau:bauvorhaben//kodierungFlurstueck"/>
      <xsl:apply-templates select="xbau:anlagen/anlage"/>
    </Antrag>
  </xsl:template>

  <xsl:template match="xbau:bauvorhaben">
    <Vorhaben><xsl:value-of select="normalize-space(xbau:bezeichnungDesBauvorhabens)"/></Vorhaben>
    <Massnahme><xsl:value-of select="x:code('massnahme', xbau:gegenstand/xbau:artDerMassnahme[1]/code)"/></Massnahme>
  </xsl:template>

  <xsl:template match="natuerlichePerson">
    <Antragsteller>
      <Name><xsl:value-of select="normalize-space(name/familienname/name)"/></Name>
      <Vorname><xsl:value-of select="normalize-space(name/vorname/name)"/></Vorname>
      <xsl:apply-templates select="anschrift[1]"/>
    </Antragsteller>
  </xsl:template>

  <xsl:template match="organisation">
    <Antragsteller>
      <Name><xsl:value-of select="normalize-space(name/name)"/></Name>
      <xsl:apply-templates select="anschrift[1]"/>
    </Antragsteller>
  </xsl:template>

  <xsl:template match="anschrift">
    <Strasse><xsl:value-of select="normalize-space(concat(strasse, ' ', hausnummer, strasseHausnummer))"/></Strasse>
    <PLZ><xsl:value-of select="normalize-space(postleitzahl)"/></PLZ>
    <Ort><xsl:value-of select="normalize-space(ort)"/></Ort>
  </xsl:template>

  <xsl:template match="kodierungFlurstueck">
    <Flurstueck>
      <Gemarkung><xsl:value-of select="normalize-space(concat(gemarkung/nummer, gemarkung/bezeichnung))"/></Gemarkung>
      <Flur><xsl:value-of select="normalize-space(flur)"/></Flur>
      <Zaehler><xsl:value-of select="normalize-space(zaehler)"/></Zaehler>
      <Nenner><xsl:value-of select="normalize-space(nenner)"/></Nenner>
    </Flurstueck>
  </xsl:template>

  <xsl:template match="anlage">
    <Anlage>
      <Bezeichnung><xsl:value-of select="normalize-space(bezeichnung)"/></Bezeichnung>
      <Verweis><xsl:value-of select="normalize-space(concat(anhangOderVerlinkung/anhang/dokumentid, anhangOderVerlinkung/verlinkung/uriVerlinkung))"/></Verweis>
    </Anlage>
  </xsl:template>
</xsl:stylesheet>
