<?xml version="1.0" encoding="UTF-8"?>
<!-- Application 0200 (XBau 2.6) → records; @layout@ says how long each field is and how it is written. -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="xbau x">

  <xsl:param name="reference"/>
  <xsl:param name="received"/>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">this procedure takes applications for a building permit (0200) only</xsl:message>
  </xsl:template>

  <xsl:template match="xbau:baugenehmigung.antrag.0200">
    <records>
      <xsl:apply-templates select="xbau:bauvorhaben"/>
      <xsl:apply-templates select="xbau:antragsteller/*"/>
      <xsl:apply-templates select="xbau:bauvorhaben//kodierungFlurstueck"/>
      <xsl:apply-templates select="xbau:anlagen/anlage"/>
    </records>
  </xsl:template>

  <xsl:template match="xbau:bauvorhaben">
    <@head@>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <EINGANG><xsl:value-of select="substring($received, 1, 10)"/></EINGANG>
      <MASSNAHME><xsl:value-of select="x:code('massnahme', xbau:gegenstand/xbau:artDerMassnahme[1]/code)"/></MASSNAHME>
      <VORHABEN><xsl:value-of select="normalize-space(xbau:bezeichnungDesBauvorhabens)"/></VORHABEN>
    </@head@>
  </xsl:template>

  <xsl:template match="natuerlichePerson">
    <@person@>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <NUMMER><xsl:value-of select="position()"/></NUMMER>
      <NAME><xsl:value-of select="normalize-space(name/familienname/name)"/></NAME>
      <VORNAME><xsl:value-of select="normalize-space(name/vorname/name)"/></VORNAME>
      <xsl:apply-templates select="anschrift[1]"/>
    </@person@>
  </xsl:template>

  <xsl:template match="organisation">
    <@person@>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <NUMMER><xsl:value-of select="position()"/></NUMMER>
      <NAME><xsl:value-of select="normalize-space(name/name)"/></NAME>
      <xsl:apply-templates select="anschrift[1]"/>
    </@person@>
  </xsl:template>

  <xsl:template match="anschrift">
    <STRASSE><xsl:value-of select="normalize-space(concat(strasse, ' ', hausnummer, strasseHausnummer))"/></STRASSE>
    <PLZ><xsl:value-of select="normalize-space(postleitzahl)"/></PLZ>
    <ORT><xsl:value-of select="normalize-space(ort)"/></ORT>
  </xsl:template>

  <xsl:template match="kodierungFlurstueck">
    <@plot@>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <NUMMER><xsl:value-of select="position()"/></NUMMER>
      <GEMARKUNG><xsl:value-of select="normalize-space(concat(gemarkung/nummer, gemarkung/bezeichnung))"/></GEMARKUNG>
      <FLUR><xsl:value-of select="normalize-space(flur)"/></FLUR>
      <ZAEHLER><xsl:value-of select="normalize-space(zaehler)"/></ZAEHLER>
      <NENNER><xsl:value-of select="normalize-space(nenner)"/></NENNER>
    </@plot@>
  </xsl:template>

  <xsl:template match="anlage">
    <@file@>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <NUMMER><xsl:value-of select="position()"/></NUMMER>
      <BEZEICHNUNG><xsl:value-of select="normalize-space(bezeichnung)"/></BEZEICHNUNG>
      <VERWEIS><xsl:value-of select="normalize-space(concat(anhangOderVerlinkung/anhang/dokumentid, anhangOderVerlinkung/verlinkung/uriVerlinkung))"/></VERWEIS>
    </@file@>
  </xsl:template>
</xsl:stylesheet>
