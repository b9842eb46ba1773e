<?xml version="1.0" encoding="UTF-8"?>
<!--
  What every document management system reads from a handover (Abgabe.Abgabe.0401, xdomea 3.1.0). The tree of files,
  processes and documents becomes a flat list: each object names the one above it. A city imports this sheet, writes
  its own format in templates for "objekt" and "datei", and overrides single templates.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xdomea="urn:xoev-de:xdomea:schema:3.1.0"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="xdomea x">

  <xsl:param name="reference"/>
  <xsl:param name="received"/>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">this procedure takes handovers of records (0401) only</xsl:message>
  </xsl:template>

  <!-- In the order of the message, each object before what lies in it. -->
  <xsl:template match="xdomea:Abgabe.Abgabe.0401" mode="objekte">
    <xsl:apply-templates select="xdomea:Schriftgutobjekt//*[self::xdomea:Akte or self::xdomea:Teilakte or self::xdomea:Vorgang or self::xdomea:Teilvorgang or self::xdomea:Dokument]" mode="objekt"/>
  </xsl:template>

  <xsl:template match="*" mode="objekt">
    <xsl:message terminate="yes">this city's sheet has no template for an object</xsl:message>
  </xsl:template>

  <xsl:template match="xdomea:Akte" mode="art">AKTE</xsl:template>
  <xsl:template match="xdomea:Teilakte" mode="art">TEILAKTE</xsl:template>
  <xsl:template match="xdomea:Vorgang" mode="art">VORGANG</xsl:template>
  <xsl:template match="xdomea:Teilvorgang" mode="art">TEILVORGANG</xsl:template>
  <xsl:template match="xdomea:Dokument" mode="art">DOKUMENT</xsl:template>

  <xsl:template match="*" mode="id">
    <xsl:value-of select="normalize-space(xdomea:Identifikation/xdomea:ID)"/>
  </xsl:template>

  <!-- The id of the nearest object above; nothing for an object at the top. -->
  <xsl:template match="*" mode="oberhalb">
    <xsl:value-of select="normalize-space(ancestor::*[xdomea:Identifikation][1]/xdomea:Identifikation/xdomea:ID)"/>
  </xsl:template>

  <xsl:template match="*" mode="betreff">
    <xsl:value-of select="normalize-space(xdomea:AllgemeineMetadaten/xdomea:Betreff)"/>
  </xsl:template>

  <xsl:template match="*" mode="kennzeichen">
    <xsl:value-of select="normalize-space(xdomea:AllgemeineMetadaten/xdomea:Kennzeichen)"/>
  </xsl:template>

  <xsl:template match="xdomea:Vertraulichkeitsstufe" mode="stufe">
    <xsl:value-of select="x:code('vertraulichkeit', code)"/>
  </xsl:template>

  <xsl:template match="xdomea:Medium" mode="medium">
    <xsl:value-of select="x:code('medium', code)"/>
  </xsl:template>
</xsl:stylesheet>
