//go:build !go1.20

package metering

import (
	"reflect"
	"unsafe"
)

// stringData is where a text lies; nil for an empty one.
func stringData(text string) *byte {
	if text == "" {
		return nil
	}
	header := (*reflect.StringHeader)(unsafe.Pointer(&text))
	return (*byte)(unsafe.Pointer(header.Data))
}
