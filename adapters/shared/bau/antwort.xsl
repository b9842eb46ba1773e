<?xml version="1.0" encoding="UTF-8"?>
<!--
  What all cities answer: 1120 (received), 1121 (file number), 0205 (decision), 1100 (rejected). A city imports
  this sheet, says who it is in the variables, and calls the template that fits its reply.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xbau="http://www.xleitstelle.de/xbau/2/6"
    xmlns:xbauk="http://www.xleitstelle.de/xbau/kernmodul/1/3/0"
    xmlns:bn-g2g="http://xoev.de/schemata/basisnachricht/g2g/1_1"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="x">

  <xsl:output method="xml" encoding="UTF-8" indent="yes"/>

  <xsl:param name="received"/>
  <xsl:param name="test"/>
  <xsl:param name="testing" select="false()"/>
  <xsl:param name="case"/>

  <!-- Overridden by each city: its name in sentences, and where its files are found. -->
  <xsl:variable name="stelle">die Bauaufsichtsbehörde</xsl:variable>
  <xsl:variable name="akte">urn:bauakte:</xsl:variable>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">the procedure's reply is of a kind that this adapter does not know</xsl:message>
  </xsl:template>

  <xsl:template name="eingangsbestaetigung">
    <xsl:param name="aktenzeichen"/>
    <xsl:param name="text"/>
    <xbauk:prozessnachrichten.eingangsbestaetigung.1120>
      <xsl:call-template name="kernmodul"/>
      <xsl:copy-of select="x:head('prozessnachrichten.eingangsbestaetigung.1120', '1120')"/>
      <bezug>
        <xsl:call-template name="bezug">
          <xsl:with-param name="aktenzeichen" select="$aktenzeichen"/>
        </xsl:call-template>
      </bezug>
      <xsl:if test="normalize-space($text)">
        <information>
          <textabsatz><xsl:value-of select="x:nfc(normalize-space($text))"/></textabsatz>
        </information>
      </xsl:if>
    </xbauk:prozessnachrichten.eingangsbestaetigung.1120>
  </xsl:template>

  <xsl:template name="aktenzeichen">
    <xsl:param name="aktenzeichen"/>
    <xbauk:prozessnachrichten.aktenzeichen.1121>
      <xsl:call-template name="kernmodul"/>
      <xsl:copy-of select="x:head('prozessnachrichten.aktenzeichen.1121', '1121')"/>
      <bezug>
        <xsl:call-template name="bezug">
          <xsl:with-param name="aktenzeichen" select="$aktenzeichen"/>
        </xsl:call-template>
      </bezug>
    </xbauk:prozessnachrichten.aktenzeichen.1121>
  </xsl:template>

  <xsl:template name="bescheid">
    <xsl:param name="aktenzeichen"/>
    <xsl:param name="genehmigt"/>
    <xsl:param name="datum"/>
    <xsl:param name="text"/>
    <xbau:baugenehmigung.bescheid.0205>
      <xsl:call-template name="hochbau"/>
      <xsl:copy-of select="x:head('baugenehmigung.bescheid.0205', '0205')"/>
      <xbau:bezug>
        <xsl:call-template name="bezug">
          <xsl:with-param name="aktenzeichen" select="$aktenzeichen"/>
        </xsl:call-template>
      </xbau:bezug>
      <xbau:bescheid>
        <xbau:tenor>
          <xbau:istGenehmigung><xsl:value-of select="$genehmigt"/></xbau:istGenehmigung>
          <xsl:if test="normalize-space($text)">
            <xbau:kommentareFachrecht>
              <xbau:kommentarFachrecht>
                <textabsatz><xsl:value-of select="x:nfc(normalize-space($text))"/></textabsatz>
              </xbau:kommentarFachrecht>
            </xbau:kommentareFachrecht>
          </xsl:if>
        </xbau:tenor>
        <xbau:rechtshelfsbelehrung>
          <textabsatz><xsl:call-template name="belehrung"/></textabsatz>
        </xbau:rechtshelfsbelehrung>
      </xbau:bescheid>
      <xsl:call-template name="bescheiddokument">
        <xsl:with-param name="aktenzeichen" select="$aktenzeichen"/>
        <xsl:with-param name="datum" select="$datum"/>
      </xsl:call-template>
    </xbau:baugenehmigung.bescheid.0205>
  </xsl:template>

  <xsl:template name="rueckweisung">
    <xsl:param name="grund" select="'S999'"/>
    <xsl:param name="text"/>
    <xbauk:prozessnachrichten.rueckweisung.G2G.1100>
      <xsl:call-template name="kernmodul"/>
      <xsl:copy-of select="x:head('prozessnachrichten.rueckweisung.G2G.1100', '1100')"/>
      <rueckweisungDaten>
        <rueckweisungsgrund>
          <grund listVersionID="2.2"><code><xsl:value-of select="$grund"/></code></grund>
          <xsl:if test="normalize-space($text)">
            <fehlertext><xsl:value-of select="x:nfc(normalize-space($text))"/></fehlertext>
          </xsl:if>
        </rueckweisungsgrund>
        <idNachricht><xsl:copy-of select="x:relation()/bezugNachricht/*"/></idNachricht>
        <nachricht><xsl:value-of select="x:original()"/></nachricht>
      </rueckweisungDaten>
    </xbauk:prozessnachrichten.rueckweisung.G2G.1100>
  </xsl:template>

  <!-- Parts. -->
  <xsl:template name="kernmodul">
    <xsl:attribute name="standard">XBau-Kernmodul</xsl:attribute>
    <xsl:attribute name="version">1.3.0</xsl:attribute>
    <xsl:call-template name="produkt"/>
  </xsl:template>

  <xsl:template name="hochbau">
    <xsl:attribute name="standard">XBau-Hochbau</xsl:attribute>
    <xsl:attribute name="version">2.6</xsl:attribute>
    <xsl:call-template name="produkt"/>
  </xsl:template>

  <xsl:template name="produkt">
    <xsl:attribute name="produkt">xoev-broker</xsl:attribute>
    <xsl:attribute name="produkthersteller">xoev-broker</xsl:attribute>
    <xsl:if test="$testing">
      <xsl:attribute name="test"><xsl:value-of select="$test"/></xsl:attribute>
    </xsl:if>
  </xsl:template>

  <!-- The case of an application is the portal's UUID; anything else does not belong into "referenz". -->
  <xsl:template name="bezug">
    <xsl:param name="aktenzeichen"/>
    <xsl:if test="string-length($case) = 36">
      <referenz><xsl:value-of select="$case"/></referenz>
    </xsl:if>
    <xsl:if test="normalize-space($aktenzeichen)">
      <vorgang><xsl:value-of select="x:nfc(normalize-space($aktenzeichen))"/></vorgang>
    </xsl:if>
    <xsl:copy-of select="x:relation()/bezugNachricht"/>
  </xsl:template>

  <xsl:template name="belehrung">
    <xsl:text>Gegen diesen Bescheid kann innerhalb eines Monats nach Bekanntgabe Widerspruch erhoben werden. </xsl:text>
    <xsl:value-of select="concat('Der Widerspruch ist bei ', $stelle, ' einzulegen.')"/>
  </xsl:template>

  <!-- The letter itself stays in the city's file; the link names it there. -->
  <xsl:template name="bescheiddokument">
    <xsl:param name="aktenzeichen"/>
    <xsl:param name="datum"/>
    <xbau:anlagen>
      <anlage>
        <bezeichnung>Bescheid</bezeichnung>
        <versionsnummer>1</versionsnummer>
        <datum><xsl:value-of select="$datum"/></datum>
        <anlageart listURI="urn:xoev-de:xbau:codeliste:anlagen" listVersionID="3.0"><code>5013</code></anlageart>
        <mimeType listURI="urn:xoev-de:xbau:codeliste:xbau-mimetypes" listVersionID="1.0">
          <code>application/pdf</code>
        </mimeType>
        <anhangOderVerlinkung>
          <xsl:call-template name="link">
            <xsl:with-param name="adresse" select="concat($akte, translate($aktenzeichen, ' ', '_'))"/>
          </xsl:call-template>
        </anhangOderVerlinkung>
      </anlage>
    </xbau:anlagen>
  </xsl:template>

  <xsl:template name="link">
    <xsl:param name="adresse"/>
    <verlinkung>
      <uriVerlinkung><xsl:value-of select="$adresse"/></uriVerlinkung>
    </verlinkung>
  </xsl:template>
</xsl:stylesheet>
