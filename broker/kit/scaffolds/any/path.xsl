
  <!-- Where a value stood: /a/b[2]/c, by local names. -->
  <xsl:template match="*" mode="path">
    <xsl:variable name="name" select="name()"/>
    <xsl:value-of select="concat('/', local-name())"/>
    <xsl:if test="preceding-sibling::*[name() = $name] or following-sibling::*[name() = $name]">
      <xsl:value-of select="concat('[', count(preceding-sibling::*[name() = $name]) + 1, ']')"/>
    </xsl:if>
  </xsl:template>
