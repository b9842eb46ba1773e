<?xml version="1.0" encoding="UTF-8"?>
<!-- AntragAngelegt or Ablehnung of Wolfsburg's SOAP interface → 1120, 1121, 0205, 1100. -->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:w="urn:wolfsburg:bauantrag:1"
    exclude-result-prefixes="w">

  <xsl:import href="../../shared/bau/antwort.xsl"/>
  <xsl:variable name="stelle">der Stadt Wolfsburg</xsl:variable>
  <xsl:variable name="akte">urn:wolfsburg:bauakte:</xsl:variable>

  <xsl:template match="w:AntragAngelegt[w:Status = 'ANGENOMMEN']">
    <xsl:call-template name="eingangsbestaetigung">
      <xsl:with-param name="aktenzeichen" select="w:Aktenzeichen"/>
      <xsl:with-param name="text" select="w:Text"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="w:AntragAngelegt[w:Status = 'REGISTRIERT']">
    <xsl:call-template name="aktenzeichen">
      <xsl:with-param name="aktenzeichen" select="w:Aktenzeichen"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="w:AntragAngelegt[w:Status = 'GENEHMIGT' or w:Status = 'ABGELEHNT']">
    <xsl:call-template name="bescheid">
      <xsl:with-param name="aktenzeichen" select="w:Aktenzeichen"/>
      <xsl:with-param name="genehmigt" select="w:Status = 'GENEHMIGT'"/>
      <xsl:with-param name="datum" select="w:Datum"/>
      <xsl:with-param name="text" select="w:Text"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="w:Ablehnung">
    <xsl:call-template name="rueckweisung">
      <xsl:with-param name="text" select="w:Grund"/>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
