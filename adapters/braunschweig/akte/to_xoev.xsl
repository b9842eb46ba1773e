<?xml version="1.0" encoding="UTF-8"?>
<!-- quittung.xml of Braunschweig's document management system → 0403 or 0402. -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:b="urn:braunschweig:ablage:1"
    exclude-result-prefixes="b">

  <xsl:import href="../../shared/akte/antwort.xsl"/>

  <xsl:template match="b:Quittung[b:Art = 'EMPFANG']">
    <xsl:call-template name="empfang"/>
  </xsl:template>

  <xsl:template match="b:Quittung[b:Art = 'IMPORT']">
    <xsl:call-template name="import">
      <xsl:with-param name="objekte" select="b:Objekt"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="b:Objekt" mode="ergebnis">
    <xsl:call-template name="ergebnis">
      <xsl:with-param name="id" select="@id"/>
      <xsl:with-param name="erfolgreich" select="not(b:Fehler)"/>
      <xsl:with-param name="fehler" select="b:Fehler"/>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
