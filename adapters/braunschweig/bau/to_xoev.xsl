<?xml version="1.0" encoding="UTF-8"?>
<!-- One reply of Braunschweig's answer file (a record R and its texts T) → 1120, 1121, 0205, 1100. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">

  <xsl:import href="../../shared/bau/antwort.xsl"/>
  <xsl:variable name="stelle">der Stadt Braunschweig</xsl:variable>
  <xsl:variable name="akte">urn:braunschweig:bauakte:</xsl:variable>
  <xsl:variable name="text">
    <xsl:apply-templates select="/records/T/text"/>
  </xsl:variable>

  <xsl:template match="/records[R/art = 'E']">
    <xsl:call-template name="eingangsbestaetigung">
      <xsl:with-param name="aktenzeichen" select="R/aktenzeichen"/>
      <xsl:with-param name="text" select="$text"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="/records[R/art = 'Z']">
    <xsl:call-template name="aktenzeichen">
      <xsl:with-param name="aktenzeichen" select="R/aktenzeichen"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="/records[R/art = 'B'][R/ergebnis = 'G' or R/ergebnis = 'A']">
    <xsl:call-template name="bescheid">
      <xsl:with-param name="aktenzeichen" select="R/aktenzeichen"/>
      <xsl:with-param name="genehmigt" select="R/ergebnis = 'G'"/>
      <xsl:with-param name="datum" select="R/datum"/>
      <xsl:with-param name="text" select="$text"/>
    </xsl:call-template>
  </xsl:template>

  <xsl:template match="/records[R/art = 'R']">
    <xsl:call-template name="rueckweisung">
      <xsl:with-param name="text" select="$text"/>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>
