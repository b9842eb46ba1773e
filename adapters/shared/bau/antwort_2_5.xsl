<?xml version="1.0" encoding="UTF-8"?>
<!--
  What differs where an application of XBau 2.5 is answered: the namespaces, the versions, and a link. Imported behind
  a city's answers; everything else is theirs. The aliases move the elements that antwort.xsl writes.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:xbauk="http://www.xleitstelle.de/xbau/kernmodul/1/3/0"
    xmlns:alt="http://www.xleitstelle.de/xbau/2/5"
    xmlns:altk="http://www.xleitstelle.de/xbau/kernmodul/1/2/2">

  <xsl:namespace-alias stylesheet-prefix="xbau" result-prefix="alt"/>
  <xsl:namespace-alias stylesheet-prefix="xbauk" result-prefix="altk"/>

  <xsl:template name="kernmodul">
    <xsl:attribute name="standard">XBau-Kernmodul</xsl:attribute>
    <xsl:attribute name="version">1.2.2</xsl:attribute>
    <xsl:call-template name="produkt"/>
  </xsl:template>

  <xsl:template name="hochbau">
    <xsl:attribute name="standard">XBau-Hochbau</xsl:attribute>
    <xsl:attribute name="version">2.5</xsl:attribute>
    <xsl:call-template name="produkt"/>
  </xsl:template>

  <xsl:template name="link">
    <xsl:param name="adresse"/>
    <uriVerlinkung><xsl:value-of select="$adresse"/></uriVerlinkung>
  </xsl:template>
</xsl:stylesheet>
