package metering

// #include <metering/metering.h>
//
// static inline met_error metgo_limiter_key(
//     const char *scope, size_t scope_size, uint32_t kind, uint32_t form,
//     const char *value, size_t value_size, uint32_t prefix_v4,
//     uint32_t prefix_v6, char *key, size_t room, size_t *size,
//     met_error_info *info)
// {
//     met_limiter_identity identity = {sizeof identity, scope, scope_size,
//                                      kind, form, value, value_size,
//                                      prefix_v4, prefix_v6};
//
//     return met_limiter_key_build(&identity, key, room, size, info);
// }
import "C"

import "unsafe"

// An Identity is whom a limit counts.
type Identity struct {
	Scope string // where the limit belongs: a route, a service
	Kind  uint32 // the caller's own number: consumer, header, address, …
	Value string
	// IsAddress: Value is an IP address as text. It is one key, however it is
	// written; those that are equal up to the prefix share a key.
	IsAddress bool
	PrefixV4  uint32 // bits of an IPv4 address that count; 0 = 32
	PrefixV6  uint32 // of an IPv6 address; 0 = 64, one customer's network
}

// Key is the key of an identity for a [Request]: two are the same only when
// scope, kind and value are.
func (i Identity) Key() (string, error) {
	form := C.uint32_t(C.MET_LIMITER_FORM_BYTES)
	if i.IsAddress {
		form = C.MET_LIMITER_FORM_ADDRESS
	}
	key := make([]byte, len(i.Scope)+len(i.Value)+C.MET_LIMITER_KEY_EXTRA)
	scope, scopeSize := cText(i.Scope)
	value, valueSize := cText(i.Value)
	var size C.size_t
	info := newInfo()
	err := info.failed(C.metgo_limiter_key(scope, scopeSize, C.uint32_t(i.Kind),
		form, value, valueSize, C.uint32_t(i.PrefixV4), C.uint32_t(i.PrefixV6),
		(*C.char)(unsafe.Pointer(&key[0])), C.size_t(len(key)), &size, &info.c))
	if err != nil {
		return "", err
	}
	return string(key[:size]), nil
}
