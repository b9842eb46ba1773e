<?xml version="1.0" encoding="UTF-8"?>
<!--
  Any message of @name@ @version@ → records with every value and where it stood: nothing is lost, nothing is mapped yet. Put
  fields of your own in place of the records @value@; @layout@ says how long each is and how it is written.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">

  <xsl:param name="reference"/>
  <xsl:param name="received"/>

  <xsl:template match="/*">
    <records>
      <@head@>
        <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
        <EINGANG><xsl:value-of select="substring($received, 1, 10)"/></EINGANG>
        <ART><xsl:value-of select="local-name()"/></ART>
      </@head@>
      <xsl:apply-templates select="descendant::*[not(*)][normalize-space()]" mode="value"/>
    </records>
  </xsl:template>

  <xsl:template match="*" mode="value">
    <@value@>
      <REFERENZ><xsl:value-of select="$reference"/></REFERENZ>
      <NUMMER><xsl:value-of select="position()"/></NUMMER>
      <PFAD><xsl:apply-templates select="ancestor-or-self::*" mode="path"/></PFAD>
      <WERT><xsl:value-of select="normalize-space()"/></WERT>
    </@value@>
  </xsl:template>
@path@
</xsl:stylesheet>
