<?xml version="1.0" encoding="UTF-8"?>
<!--
  An answer of @title@'s procedure → 1120 (received) or 1100 (rejected), XBau-Kernmodul 1.3.0. What other answers look
  like (1121 file number, 0205 decision) shows adapters/shared/bau/antwort.xsl of the broker's repository.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbauk="http://www.xleitstelle.de/xbau/kernmodul/1/3/0"
    xmlns:bn-g2g="http://xoev.de/schemata/basisnachricht/g2g/1_1"
    xmlns:x="urn:xoev-broker:adapter"@declared@
    exclude-result-prefixes="x@excluded@">

  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>
  <xsl:param name="test"/>
  <xsl:param name="testing" select="false()"/>
  <xsl:param name="case"/>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">the procedure's answer is of a kind that this adapter does not know</xsl:message>
  </xsl:template>

  <xsl:template match="@answer@[@status@ = 'EINGEGANGEN']">
    <xbauk:prozessnachrichten.eingangsbestaetigung.1120>
      <xsl:call-template name="attributes"/>
      <xsl:copy-of select="x:head('prozessnachrichten.eingangsbestaetigung.1120', '1120')"/>
      <bezug>
        <xsl:if test="string-length($case) = 36">
          <referenz><xsl:value-of select="$case"/></referenz>
        </xsl:if>
        <xsl:if test="normalize-space(@number@)">
          <vorgang><xsl:value-of select="x:nfc(normalize-space(@number@))"/></vorgang>
        </xsl:if>
        <xsl:copy-of select="x:relation()/bezugNachricht"/>
      </bezug>
      <xsl:if test="normalize-space(@text@)">
        <information>
          <textabsatz><xsl:value-of select="x:nfc(normalize-space(@text@))"/></textabsatz>
        </information>
      </xsl:if>
    </xbauk:prozessnachrichten.eingangsbestaetigung.1120>
  </xsl:template>

  <xsl:template match="@answer@[@status@ = 'ABGEWIESEN']">
    <xbauk:prozessnachrichten.rueckweisung.G2G.1100>
      <xsl:call-template name="attributes"/>
      <xsl:copy-of select="x:head('prozessnachrichten.rueckweisung.G2G.1100', '1100')"/>
      <rueckweisungDaten>
        <rueckweisungsgrund>
          <grund listVersionID="2.2"><code>S999</code></grund>
          <xsl:if test="normalize-space(@text@)">
            <fehlertext><xsl:value-of select="x:nfc(normalize-space(@text@))"/></fehlertext>
          </xsl:if>
        </rueckweisungsgrund>
        <idNachricht><xsl:copy-of select="x:relation()/bezugNachricht/*"/></idNachricht>
        <nachricht><xsl:value-of select="x:original()"/></nachricht>
      </rueckweisungDaten>
    </xbauk:prozessnachrichten.rueckweisung.G2G.1100>
  </xsl:template>

  <xsl:template name="attributes">
    <xsl:attribute name="standard">XBau-Kernmodul</xsl:attribute>
    <xsl:attribute name="version">1.3.0</xsl:attribute>
    <xsl:attribute name="produkt">xoev-broker</xsl:attribute>
    <xsl:attribute name="produkthersteller">xoev-broker</xsl:attribute>
    <xsl:if test="$testing">
      <xsl:attribute name="test"><xsl:value-of select="$test"/></xsl:attribute>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
