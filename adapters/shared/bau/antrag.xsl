<?xml version="1.0" encoding="UTF-8"?>
<!--
  What all cities read from an application (baugenehmigung.antrag.0200). A city imports this sheet, writes its own
  format in a template for the root, and overrides single templates where its procedure wants something else.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="xbau x">

  <xsl:param name="reference"/>
  <xsl:param name="received"/>

  <xsl:template match="xbau:baugenehmigung.antrag.0200">
    <xsl:message terminate="yes">this city's sheet has no template for an application</xsl:message>
  </xsl:template>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">this procedure takes applications for a building permit (0200) only</xsl:message>
  </xsl:template>

  <!-- Who: a person or an organisation, asked for one thing at a time. -->
  <xsl:template match="natuerlichePerson" mode="nachname">
    <xsl:value-of select="normalize-space(name/familienname/name)"/>
  </xsl:template>

  <xsl:template match="organisation" mode="nachname">
    <xsl:value-of select="normalize-space(name/name)"/>
  </xsl:template>

  <xsl:template match="natuerlichePerson" mode="vorname">
    <xsl:value-of select="normalize-space(name/vorname/name)"/>
  </xsl:template>

  <xsl:template match="organisation" mode="vorname"/>

  <xsl:template match="natuerlichePerson" mode="art">P</xsl:template>

  <xsl:template match="organisation" mode="art">O</xsl:template>

  <xsl:template match="natuerlichePerson | organisation" mode="mail">
    <xsl:value-of select="normalize-space(kommunikation[kanal/code = '01'][1]/kennung)"/>
  </xsl:template>

  <xsl:template match="natuerlichePerson | organisation" mode="telefon">
    <xsl:value-of select="normalize-space(kommunikation[kanal/code = '02' or kanal/code = '03'][1]/kennung)"/>
  </xsl:template>

  <!-- Where someone lives: street and number in one text. -->
  <xsl:template match="anschrift" mode="strasse">
    <xsl:value-of select="normalize-space(concat(strasse, ' ', hausnummer))"/>
  </xsl:template>

  <xsl:template match="anschrift[strasseHausnummer]" mode="strasse">
    <xsl:value-of select="normalize-space(strasseHausnummer)"/>
  </xsl:template>

  <xsl:template match="anschrift[postfach]" mode="strasse">
    <xsl:value-of select="concat('Postfach ', normalize-space(postfach))"/>
  </xsl:template>

  <!-- What is to be built. -->
  <xsl:template match="xbau:bauvorhaben" mode="bezeichnung">
    <xsl:value-of select="normalize-space(xbau:bezeichnungDesBauvorhabens)"/>
  </xsl:template>

  <xsl:template match="gemarkung" mode="gemarkung">
    <xsl:value-of select="normalize-space(concat(nummer, bezeichnung))"/>
  </xsl:template>

  <!-- Attachments: content that the message carries itself (a data: link), else where it lies. -->
  <xsl:template match="anhangOderVerlinkung" mode="dateiname">
    <xsl:value-of select="normalize-space(concat(anhang/dateiname, verlinkung/dateiname))"/>
  </xsl:template>

  <xsl:template match="anhangOderVerlinkung" mode="inhalt"/>

  <xsl:template match="anhangOderVerlinkung[starts-with(verlinkung/uriVerlinkung, 'data:')]" mode="inhalt">
    <xsl:value-of select="x:base64(substring-after(verlinkung/uriVerlinkung, ';base64,'))"/>
  </xsl:template>

  <xsl:template match="anhangOderVerlinkung" mode="verweis">
    <xsl:value-of select="normalize-space(concat(anhang/dokumentid, verlinkung/uriVerlinkung))"/>
  </xsl:template>

  <xsl:template match="anhangOderVerlinkung[starts-with(verlinkung/uriVerlinkung, 'data:')]" mode="verweis"/>
</xsl:stylesheet>
