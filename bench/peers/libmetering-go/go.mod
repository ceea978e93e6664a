module libmetering-go

go 1.22

require libmetering/metering v0.0.0

replace libmetering/metering => ../../../bindings/go
