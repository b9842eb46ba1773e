<?xml version="1.0" encoding="UTF-8"?>
<!--
  An answer of @title@'s procedure → an answer of @name@. Which messages the standard has for that, and what stands in them,
  only you know: write a template per kind of answer, with x:head(kind, code) for its head and x:relation() for what it
  answers. Until then every answer becomes a case for a person, nothing is lost.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">

  <xsl:template match="/*">
    <xsl:message terminate="yes">this adapter turns no answers into XÖV yet</xsl:message>
  </xsl:template>
</xsl:stylesheet>
