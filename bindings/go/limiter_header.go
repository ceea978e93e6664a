package metering

// #include <metering/metering.h>
//
// static inline met_error metgo_limiter_headers(
//     const met_limiter_result *result, uint32_t styles, uint32_t jitter_max_s,
//     uint64_t jitter_seed, const char *partition_key, size_t size, char *out,
//     size_t room, size_t *size_out, met_error_info *info)
// {
//     met_limiter_headers_options options = {
//         .struct_size = sizeof options, .styles = styles,
//         .jitter_max_s = jitter_max_s, .jitter_seed = jitter_seed,
//         .partition_key = partition_key, .partition_key_size = size};
//
//     return met_limiter_headers_write(result, &options, out, room, size_out,
//                                      info);
// }
import "C"

import (
	"net/http"
	"strings"
	"unsafe"
)

// HeaderFields is which fields a decision writes; they may be added up.
type HeaderFields uint32

// The fields.
const (
	// HeaderWindows is X-RateLimit-Limit-Minute and the like, of each window.
	HeaderWindows HeaderFields = C.MET_LIMITER_HEADERS_WINDOWS
	// HeaderReported is RateLimit-Limit, -Remaining and -Reset.
	HeaderReported HeaderFields = C.MET_LIMITER_HEADERS_REPORTED
	// HeaderIETF is RateLimit-Policy and RateLimit.
	HeaderIETF HeaderFields = C.MET_LIMITER_HEADERS_IETF
)

// HeaderOptions are how a decision is told. The zero value of each field is its
// default.
type HeaderOptions struct {
	// Fields: 0 = HeaderWindows + HeaderReported, as Kong's plugin does.
	Fields HeaderFields
	// JitterMaxSeconds lets Retry-After be up to so many seconds later, so that
	// clients who were refused together do not come back together.
	JitterMaxSeconds uint32
	// JitterSeed: the same seed gives the same; a hash of the client, say.
	JitterSeed uint64
	// PartitionKey says in the fields of the IETF whose quota it is. Clients
	// see it.
	PartitionKey string
}

// WriteHeader sets the rate limit fields of an answer, as Kong's plugin names
// them, and Retry-After when waiting helps.
func (r *Result) WriteHeader(header http.Header) error {
	return r.WriteHeaderFields(header, HeaderOptions{})
}

// WriteHeaderFields is WriteHeader with other fields.
func (r *Result) WriteHeaderFields(header http.Header,
	options HeaderOptions) error {
	var text [C.MET_LIMITER_HEADERS_SIZE]byte
	var size C.size_t
	info := newInfo()
	key, keySize := cText(options.PartitionKey)
	err := info.failed(C.metgo_limiter_headers(&r.c, C.uint32_t(options.Fields),
		C.uint32_t(options.JitterMaxSeconds), C.uint64_t(options.JitterSeed),
		key, keySize, (*C.char)(unsafe.Pointer(&text[0])),
		C.size_t(len(text)), &size, &info.c))
	if err == nil {
		setHeaders(header, string(text[:size]))
	}
	return err
}

// setHeaders sets fields from "Name: value\r\n" lines.
func setHeaders(header http.Header, lines string) {
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		name, value, _ := strings.Cut(line, ": ")
		header.Set(name, value)
		lines = rest
	}
}
