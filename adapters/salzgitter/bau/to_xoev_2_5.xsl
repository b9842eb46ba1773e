<?xml version="1.0" encoding="UTF-8"?>
<!-- A row of Salzgitter's table ANTRAG_AUSGANG → 1120, 1121, 0205, 1100 for an application of XBau 2.5. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="to_xoev.xsl"/>
  <xsl:import href="../../shared/bau/antwort_2_5.xsl"/>
</xsl:stylesheet>
