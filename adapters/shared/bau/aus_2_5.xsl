<?xml version="1.0" encoding="UTF-8"?>
<!--
  An application of XBau 2.5 → the same application as XBau 2.6 writes it, so that one sheet per city reads both. What
  2.6 renamed or wrapped has a template here; everything else only changes its namespace.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:alt="http://www.xleitstelle.de/xbau/2/5"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    exclude-result-prefixes="alt">

  <xsl:template match="/alt:*">
    <xsl:element name="xbau:{local-name()}" namespace="http://www.xleitstelle.de/xbau/2/6">
      <xsl:copy-of select="@*"/>
      <xsl:attribute name="version">2.6</xsl:attribute>
      <xsl:apply-templates select="*"/>
    </xsl:element>
  </xsl:template>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">this sheet takes messages of XBau 2.5 only</xsl:message>
  </xsl:template>

  <xsl:template match="alt:*">
    <xsl:element name="xbau:{local-name()}" namespace="http://www.xleitstelle.de/xbau/2/6">
      <xsl:copy-of select="@*"/>
      <xsl:apply-templates/>
    </xsl:element>
  </xsl:template>

  <xsl:template match="*">
    <xsl:element name="{name()}" namespace="{namespace-uri()}">
      <xsl:copy-of select="@*"/>
      <xsl:apply-templates/>
    </xsl:element>
  </xsl:template>

  <!-- A link stands inside "verlinkung" since 2.6. -->
  <xsl:template match="anhangOderVerlinkung/uriVerlinkung">
    <verlinkung><xsl:copy-of select="."/></verlinkung>
  </xsl:template>

  <!-- What proves a designer's right stands beside a reference to its proof since 2.6. -->
  <xsl:template match="alt:grundlageBauvorlageBerechtigung | alt:nachweisBerechtigung | alt:berufsbezeichnung">
    <xsl:element name="xbau:{local-name()}" namespace="http://www.xleitstelle.de/xbau/2/6">
      <xsl:element name="xbau:{local-name()}" namespace="http://www.xleitstelle.de/xbau/2/6">
        <xsl:copy-of select="@*"/>
        <xsl:apply-templates/>
      </xsl:element>
    </xsl:element>
  </xsl:template>
</xsl:stylesheet>
