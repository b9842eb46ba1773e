<?xml version="1.0" encoding="UTF-8"?>
<!--
  What every city answers: 0403 (arrived) and 0402 (what was taken over, object by object). A city imports this sheet
  and calls the template that fits its reply. The head is that of xdomea: the ProzessID goes on, sender and recipient
  are swapped.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xdomea="urn:xoev-de:xdomea:schema:3.1.0"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="x">

  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">the procedure's reply is of a kind that this adapter does not know</xsl:message>
  </xsl:template>

  <xsl:template name="empfang">
    <xdomea:Abgabe.EmpfangBestaetigen.0403>
      <xsl:copy-of select="x:head('Abgabe.EmpfangBestaetigen.0403', '0403')"/>
    </xdomea:Abgabe.EmpfangBestaetigen.0403>
  </xsl:template>

  <!-- "objekte" are elements that a template in mode "ergebnis" turns into an AbgegebenesObjekt each. -->
  <xsl:template name="import">
    <xsl:param name="objekte"/>
    <xsl:if test="not($objekte)">
      <xsl:message terminate="yes">an import without objects cannot be confirmed</xsl:message>
    </xsl:if>
    <xdomea:Abgabe.ImportBestaetigen.0402>
      <xsl:copy-of select="x:head('Abgabe.ImportBestaetigen.0402', '0402')"/>
      <xsl:apply-templates select="$objekte" mode="ergebnis"/>
    </xdomea:Abgabe.ImportBestaetigen.0402>
  </xsl:template>

  <xsl:template name="ergebnis">
    <xsl:param name="id"/>
    <xsl:param name="erfolgreich"/>
    <xsl:param name="fehler"/>
    <xdomea:AbgegebenesObjekt>
      <xdomea:IDSGO><xsl:value-of select="$id"/></xdomea:IDSGO>
      <xdomea:Erfolgreich><xsl:value-of select="$erfolgreich"/></xdomea:Erfolgreich>
      <xsl:if test="normalize-space($fehler)">
        <xdomea:Fehlermeldung><xsl:value-of select="x:nfc(normalize-space($fehler))"/></xdomea:Fehlermeldung>
      </xsl:if>
    </xdomea:AbgegebenesObjekt>
  </xsl:template>
</xsl:stylesheet>
