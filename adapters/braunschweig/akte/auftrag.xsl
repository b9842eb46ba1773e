<?xml version="1.0" encoding="UTF-8"?>
<!-- Handover 0401 → auftrag.xml of Braunschweig's document management system. -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xdomea="urn:xoev-de:xdomea:schema:3.1.0"
    xmlns="urn:braunschweig:ablage:1"
    exclude-result-prefixes="xdomea">

  <xsl:import href="../../shared/akte/abgabe.xsl"/>
  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>
  <xsl:param name="mandant"/>

  <xsl:template match="xdomea:Abgabe.Abgabe.0401">
    <Ablage>
      <Referenz><xsl:value-of select="$reference"/></Referenz>
      <Mandant><xsl:value-of select="$mandant"/></Mandant>
      <Eingang><xsl:value-of select="$received"/></Eingang>
      <Prozess><xsl:value-of select="normalize-space(xdomea:Kopf/xdomea:ProzessID)"/></Prozess>
      <Absender><xsl:value-of select="normalize-space(xdomea:Kopf/xdomea:Absender/xdomea:Institution/xdomea:Name)"/></Absender>
      <xsl:apply-templates select="." mode="objekte"/>
    </Ablage>
  </xsl:template>

  <xsl:template match="*[xdomea:Identifikation]" mode="objekt">
    <xsl:variable name="oberhalb"><xsl:apply-templates select="." mode="oberhalb"/></xsl:variable>
    <Objekt>
      <xsl:attribute name="id"><xsl:apply-templates select="." mode="id"/></xsl:attribute>
      <xsl:attribute name="art"><xsl:apply-templates select="." mode="art"/></xsl:attribute>
      <xsl:if test="string($oberhalb)">
        <xsl:attribute name="oberhalb"><xsl:value-of select="$oberhalb"/></xsl:attribute>
      </xsl:if>
      <Betreff><xsl:apply-templates select="." mode="betreff"/></Betreff>
      <xsl:apply-templates select="xdomea:AllgemeineMetadaten/*"/>
      <xsl:apply-templates select="xdomea:Laufzeit/* | xdomea:DatumDesSchreibens | xdomea:ZdADatum"/>
      <xsl:apply-templates select="xdomea:Version/xdomea:Format"/>
    </Objekt>
  </xsl:template>

  <xsl:template match="xdomea:AllgemeineMetadaten/*" priority="-1"/>

  <xsl:template match="xdomea:Kennzeichen"><Kennzeichen><xsl:value-of select="normalize-space(.)"/></Kennzeichen></xsl:template>

  <xsl:template match="xdomea:Vertraulichkeitsstufe"><Stufe><xsl:apply-templates select="." mode="stufe"/></Stufe></xsl:template>

  <xsl:template match="xdomea:Medium"><Medium><xsl:apply-templates select="." mode="medium"/></Medium></xsl:template>

  <xsl:template match="xdomea:Laufzeit/xdomea:Beginn"><Beginn><xsl:value-of select="normalize-space(.)"/></Beginn></xsl:template>

  <xsl:template match="xdomea:Laufzeit/xdomea:Ende"><Ende><xsl:value-of select="normalize-space(.)"/></Ende></xsl:template>

  <xsl:template match="xdomea:DatumDesSchreibens"><Datum><xsl:value-of select="normalize-space(.)"/></Datum></xsl:template>

  <xsl:template match="xdomea:ZdADatum"><ZdA><xsl:value-of select="normalize-space(.)"/></ZdA></xsl:template>

  <!-- A file of the handover travels beside the message: the system looks for it by this name. -->
  <xsl:template match="xdomea:Format">
    <Datei version="{normalize-space(../xdomea:Nummer)}" format="{normalize-space(xdomea:Name/code)}">
      <Name><xsl:value-of select="normalize-space(xdomea:Primaerdokument/xdomea:Dateiname)"/></Name>
      <xsl:apply-templates select="xdomea:Primaerdokument/xdomea:DateinameOriginal"/>
    </Datei>
  </xsl:template>

  <xsl:template match="xdomea:DateinameOriginal"><Original><xsl:value-of select="normalize-space(.)"/></Original></xsl:template>
</xsl:stylesheet>
