module libmetering/metering

go 1.19
