module metering.test/go-decimal

go 1.22

require github.com/shopspring/decimal v1.6.0
