//go:build go1.20

package metering

import "unsafe"

// stringData is where a text lies; nil for an empty one.
func stringData(text string) *byte {
	if text == "" {
		return nil
	}
	return unsafe.StringData(text)
}
