package metering

// #include "calls.h"
import "C"

import (
	"encoding/json"
	"time"
)

// put is a call that takes a document, or a key, and answers with a document.
func (s *Store) put(call *C.metgo_put, text []byte) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_put(call, c, bytesPointer(text),
			C.size_t(len(text)), out, &info.c)
	})
}

func (s *Store) remove(call *C.metgo_remove, key string) error {
	text, size := cText(key)
	return s.call(func(c *C.met_store, info *callInfo) C.met_error {
		return C.metgo_call_remove(call, c, text, size, &info.c)
	})
}

// list gives the items of a list.
func (s *Store) list(call *C.metgo_list) ([]Document, error) {
	return items(s.whole(call))
}

// whole is a call that answers with one document.
func (s *Store) whole(call *C.metgo_list) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_list(call, c, out, &info.c)
	})
}

// both is a call that takes a key and a document, or two keys.
func (s *Store) both(call *C.metgo_both, key string,
	text []byte) (Document, error) {
	pointer, size := cText(key)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_both(call, c, pointer, size, bytesPointer(text),
			C.size_t(len(text)), out, &info.c)
	})
}

// An Option of a call that stores something which begins at some time.
type Option uint64

// AllowPast lets it begin in the past, for imports and tests.
const AllowPast Option = C.MET_ALLOW_PAST

// Strict makes what [Store.Apply] reports as ignored an error.
const Strict Option = C.MET_APPLY_STRICT

func flagsOf(options []Option) (flags C.uint64_t) {
	for _, option := range options {
		flags |= C.uint64_t(option)
	}
	return flags
}

// create is a call that stores a document with options.
func (s *Store) create(call *C.metgo_new, text []byte,
	options []Option) (Document, error) {
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_new(call, c, bytesPointer(text),
			C.size_t(len(text)), flagsOf(options), out, &info.c)
	})
}

// at is a call that changes something at a time.
func (s *Store) at(call *C.metgo_at, key string, at time.Time,
	options []Option) (Document, error) {
	pointer, size := cText(key)
	return s.answer(func(c *C.met_store, out *C.met_buffer,
		info *callInfo) C.met_error {
		return C.metgo_call_at(call, c, pointer, size, utcNs(at),
			flagsOf(options), out, &info.c)
	})
}

func items(list Document, err error) ([]Document, error) {
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Items []Document `json:"items"`
	}
	err = json.Unmarshal(list, &parsed)
	return parsed.Items, err
}
