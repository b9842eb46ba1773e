-- Staging tables for @title@; portable SQL. The broker writes the first two in one transaction,
-- the procedure may delete the rows once it took them. Lengths as in spalten.csv.

CREATE TABLE ANTRAG (
    REFERENZ VARCHAR(13)  NOT NULL PRIMARY KEY,
    EINGANG  DATE         NOT NULL,
    ART      VARCHAR(100) NOT NULL
);

CREATE TABLE ANTRAG_WERT (
    REFERENZ VARCHAR(13)  NOT NULL,
    NUMMER   INTEGER      NOT NULL,
    PFAD     VARCHAR(400) NOT NULL,
    WERT     TEXT         NOT NULL,
    PRIMARY KEY (REFERENZ, NUMMER)
);

-- Answers of the procedure; the broker sets ABGEHOLT_AM once it has taken a row.
CREATE TABLE ANTWORT (
    ID           INTEGER     NOT NULL PRIMARY KEY,
    REFERENZ     VARCHAR(13) NOT NULL,
    AKTENZEICHEN VARCHAR(40),
    STATUS       VARCHAR(12) NOT NULL,
    TEXT         VARCHAR(2000),
    ABGEHOLT_AM  TIMESTAMP
);
