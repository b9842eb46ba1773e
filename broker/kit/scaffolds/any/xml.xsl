<?xml version="1.0" encoding="UTF-8"?>
<!--
  Any message of @name@ @version@ → Antrag with every value and where it stood: nothing is lost, nothing is mapped yet. Put
  templates for the elements that your procedure has fields for in place of "value", one after the other.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns="@namespace@">

  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>
  <xsl:param name="reference"/>
  <xsl:param name="received"/>

  <xsl:template match="/*">
    <Antrag>
      <Referenz><xsl:value-of select="$reference"/></Referenz>
      <Eingang><xsl:value-of select="substring($received, 1, 10)"/></Eingang>
      <Art><xsl:value-of select="local-name()"/></Art>
      <xsl:apply-templates select="descendant::*[not(*)][normalize-space()]" mode="value"/>
    </Antrag>
  </xsl:template>

  <xsl:template match="*" mode="value">
    <Wert>
      <xsl:attribute name="pfad"><xsl:apply-templates select="ancestor-or-self::*" mode="path"/></xsl:attribute>
      <xsl:value-of select="normalize-space()"/>
    </Wert>
  </xsl:template>
@path@
</xsl:stylesheet>
