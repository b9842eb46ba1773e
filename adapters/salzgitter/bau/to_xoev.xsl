<?xml version="1.0" encoding="UTF-8"?>
<!-- A row of Salzgitter's table ANTRAG_AUSGANG → 1120, 1121, 0205, 1100. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">

  <xsl:import href="../../shared/bau/antwort.xsl"/>
  <xsl:variable name="stelle">der Stadt Salzgitter</xsl:variable>
  <xsl:variable name="akte">urn:salzgitter:bauakte:</xsl:variable>

  <xsl:template match="ANTRAG_AUSGANG[ART = 'EINGANG']">
    <xsl:call-template name="eingangsbestaetigung">
      <xsl:with-param name="aktenzeichen" select="AKTENZEICHEN"/>
      <xsl:with-param name="text" select="TEXT"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="ANTRAG_AUSGANG[ART = 'AKTENZEICHEN']">
    <xsl:call-template name="aktenzeichen">
      <xsl:with-param name="aktenzeichen" select="AKTENZEICHEN"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="ANTRAG_AUSGANG[ART = 'GENEHMIGUNG' or ART = 'ABLEHNUNG']">
    <xsl:call-template name="bescheid">
      <xsl:with-param name="aktenzeichen" select="AKTENZEICHEN"/>
      <xsl:with-param name="genehmigt" select="ART = 'GENEHMIGUNG'"/>
      <xsl:with-param name="datum" select="substring(DATUM, 1, 10)"/>
      <xsl:with-param name="text" select="TEXT"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="ANTRAG_AUSGANG[ART = 'RUECKWEISUNG']">
    <xsl:call-template name="rueckweisung">
      <xsl:with-param name="text" select="TEXT"/>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
