<?xml version="1.0" encoding="UTF-8"?>
<!--
  What all cities read from a notice of a trade (XGewerbeanzeige 2.2, any *.gewerbemeldung.*). A city imports this
  sheet, writes its own format in a template for the root, and overrides single templates where its procedure wants
  something else. A notice is an "anmeldung", "ummeldung" or "abmeldung"; one message may hold several.
-->
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xga="http://www.xgewerbeanzeige.de/spezifikation/2.2"
    xmlns:x="urn:xoev-broker:adapter"
    exclude-result-prefixes="xga x">

  <xsl:param name="reference"/>
  <xsl:param name="received"/>
  <xsl:param name="testing" select="false()"/>

  <xsl:variable name="anzeigen" select="/*/xga:satz/*[self::xga:anmeldung or self::xga:ummeldung or self::xga:abmeldung]"/>

  <xsl:template match="/*" priority="-1">
    <xsl:message terminate="yes">this city's sheet has no template for a notice of a trade</xsl:message>
  </xsl:template>

  <!-- Which notice it is, by the number of its paper form. -->
  <xsl:template match="xga:anmeldung" mode="art">GewA1</xsl:template>
  <xsl:template match="xga:ummeldung" mode="art">GewA2</xsl:template>
  <xsl:template match="xga:abmeldung" mode="art">GewA3</xsl:template>

  <!-- Why: the code of the standard; procedures know it by the same number. -->
  <xsl:template match="xga:anmeldung | xga:ummeldung | xga:abmeldung" mode="grund">
    <xsl:for-each select="(xga:grundAnmeldungSchluessel | xga:grundAbmeldungSchluessel | xga:gruendeUmmeldung/xga:grundUmmeldungSchluessel)/code">
      <xsl:if test="position() > 1">,</xsl:if>
      <xsl:value-of select="normalize-space(.)"/>
    </xsl:for-each>
  </xsl:template>

  <!-- What the establishment is called: as registered, else as it calls itself, else as its owner. -->
  <xsl:template match="xga:gewerbe" mode="name">
    <xsl:variable name="person" select="xga:beteiligtePerson[1]"/>
    <xsl:choose>
      <xsl:when test="xga:betrieb/xga:eingetragenerName">
        <xsl:value-of select="normalize-space(xga:betrieb/xga:eingetragenerName)"/>
      </xsl:when>
      <xsl:when test="xga:betrieb/xga:geschaeftsbezeichnung">
        <xsl:value-of select="normalize-space(xga:betrieb/xga:geschaeftsbezeichnung)"/>
      </xsl:when>
      <xsl:otherwise>
        <xsl:value-of select="normalize-space(concat($person/xga:vorname, ' ', $person/xga:familienname))"/>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="xga:gewerbe" mode="rechtsform">
    <xsl:value-of select="x:code('rechtsform', xga:betrieb/xga:rechtsformSchluessel/code)"/>
  </xsl:template>

  <xsl:template match="xga:gewerbe" mode="niederlassung">
    <xsl:value-of select="x:code('niederlassung', xga:niederlassungArt/code)"/>
  </xsl:template>

  <!-- Where: street and number in one text. -->
  <xsl:template match="xga:anschrift" mode="strasse">
    <xsl:variable name="bis" select="normalize-space(xga:hausNrBis)"/>
    <xsl:value-of select="normalize-space(concat(xga:strasse, ' ', xga:hausNrVon))"/>
    <xsl:if test="$bis"><xsl:value-of select="concat('-', $bis)"/></xsl:if>
  </xsl:template>

  <!-- Who. A profile cannot see that a name is missing, and no procedure can do without one. -->
  <xsl:template match="xga:beteiligtePerson" mode="familienname">
    <xsl:if test="not(normalize-space(xga:familienname))">
      <xsl:message terminate="yes">a beteiligtePerson has no familienname</xsl:message>
    </xsl:if>
    <xsl:value-of select="normalize-space(xga:familienname)"/>
  </xsl:template>

  <!-- A date of birth is written DDMMYYYY, with zeros for what is not known; it becomes 1965-10-12, 1965-10 or 1965. -->
  <xsl:template match="xga:geburtsdatum" mode="datum">
    <xsl:variable name="text" select="normalize-space(.)"/>
    <xsl:if test="string-length($text) != 8 or translate($text, '0123456789', '')">
      <xsl:message terminate="yes">a geburtsdatum is not eight digits (DDMMYYYY)</xsl:message>
    </xsl:if>
    <xsl:value-of select="substring($text, 5, 4)"/>
    <xsl:if test="substring($text, 3, 2) != '00'">
      <xsl:value-of select="concat('-', substring($text, 3, 2))"/>
      <xsl:if test="substring($text, 1, 2) != '00'">
        <xsl:value-of select="concat('-', substring($text, 1, 2))"/>
      </xsl:if>
    </xsl:if>
  </xsl:template>

  <!-- How to reach someone: the channel's code is that of the list "erreichbarkeit". -->
  <xsl:template match="xga:gewerbe | xga:beteiligtePerson" mode="mail">
    <xsl:value-of select="normalize-space(xga:erreichbarkeit[xga:kanal/code = '01'][1]/xga:kennung)"/>
  </xsl:template>

  <xsl:template match="xga:gewerbe | xga:beteiligtePerson" mode="telefon">
    <xsl:value-of select="normalize-space(xga:erreichbarkeit[xga:kanal/code = '02' or xga:kanal/code = '03'][1]/xga:kennung)"/>
  </xsl:template>

  <!-- What is done: "|" separates further activities. -->
  <xsl:template match="xga:taetigkeitenGesamt" mode="schwerpunkt">
    <xsl:value-of select="normalize-space(xga:schwerpunkt/xga:taetigkeitSchwerpunkt)"/>
  </xsl:template>
</xsl:stylesheet>
