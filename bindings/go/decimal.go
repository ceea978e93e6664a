package metering

// #include <stdlib.h>
// #include <metering/metering.h>
//
// typedef struct { met_decimal value; met_error error; } metgo_decimal;
//
// static inline metgo_decimal metgo_decimal_do(int what, met_decimal a,
//                                              met_decimal b)
// {
//     metgo_decimal answer = {{{0}}, 0};
//     answer.error = what == 0 ? met_decimal_add(&a, &b, &answer.value)
//         : what == 1 ? met_decimal_subtract(&a, &b, &answer.value)
//         : met_decimal_multiply(&a, &b, &answer.value);
//     return answer;
// }
//
// static inline metgo_decimal metgo_decimal_parse(const char *text,
//                                                 size_t size)
// {
//     metgo_decimal answer = {{{0}}, 0};
//     answer.error = met_decimal_parse(text, size, &answer.value);
//     return answer;
// }
//
// static inline metgo_decimal metgo_decimal_cut(met_decimal a, uint32_t places,
//                                               uint32_t rounding)
// {
//     metgo_decimal answer = {{{0}}, 0};
//     answer.error = met_decimal_round(&a, places, rounding, &answer.value);
//     return answer;
// }
//
// static inline metgo_decimal metgo_decimal_divide(
//     met_decimal a, met_decimal b, uint32_t places, uint32_t rounding)
// {
//     metgo_decimal answer = {{{0}}, 0};
//     answer.error = met_decimal_divide(&a, &b, places, rounding,
//                                       &answer.value);
//     return answer;
// }
//
// typedef struct { char text[MET_DECIMAL_TEXT_SIZE]; size_t size; } metgo_text;
//
// static inline metgo_text metgo_decimal_text(met_decimal a)
// {
//     metgo_text answer = {{0}, 0};
//     if (met_decimal_format(&a, answer.text, &answer.size) != MET_OK) {
//         answer.size = 0;
//     }
//     return answer;
// }
//
// static inline int32_t metgo_decimal_order(met_decimal a, met_decimal b)
// {
//     int32_t order = 0;
//     return met_decimal_compare(&a, &b, &order) == MET_OK ? order : -2;
// }
import "C"

import (
	"fmt"
	"math/big"
	"strconv"
	"unsafe"
)

// A Decimal is an exact decimal number of at most 34 digits. Its zero value is
// 0. It is written to JSON as a string, and read from strings and integers.
type Decimal struct {
	bits  C.met_decimal
	isSet bool // the zero bits are a number of their own
}

// Rounding says which way a number that does not fit is rounded.
type Rounding uint32

// The ways to round.
const (
	HalfAway Rounding = C.MET_ROUND_HALF_AWAY // what money uses
	HalfEven Rounding = C.MET_ROUND_HALF_EVEN
	Down     Rounding = C.MET_ROUND_DOWN // toward zero
	Up       Rounding = C.MET_ROUND_UP   // away from zero
	Floor    Rounding = C.MET_ROUND_FLOOR
	Ceiling  Rounding = C.MET_ROUND_CEILING
)

var decimalZero = mustParse("0").bits

func mustParse(text string) Decimal {
	value, err := ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return value
}

func (d Decimal) value() C.met_decimal {
	if !d.isSet {
		return decimalZero
	}
	return d.bits
}

// ParseDecimal reads "-12.50" or "1e-6": digits, a point, an exponent.
func ParseDecimal(text string) (Decimal, error) {
	pointer, size := cText(text)
	answer := C.metgo_decimal_parse(pointer, size)
	if answer.error != C.MET_OK {
		return Decimal{}, &Error{Code: Code(answer.error), Field: "decimal",
			Reason: fmt.Sprintf("%q is no decimal number of at most %d digits",
				text, C.MET_DECIMAL_DIGITS_MAX)}
	}
	return Decimal{answer.value, true}, nil
}

// DecimalOf is a whole number.
func DecimalOf(value int64) Decimal {
	return mustParse(strconv.FormatInt(value, 10))
}

// String is the plain notation without needless zeros: "0.2", "-15".
func (d Decimal) String() string {
	answer := C.metgo_decimal_text(d.value())
	return string(unsafe.Slice((*byte)(unsafe.Pointer(&answer.text[0])),
		int(answer.size)))
}

func (d Decimal) with(what C.int, other Decimal) (Decimal, error) {
	answer := C.metgo_decimal_do(what, d.value(), other.value())
	if answer.error != C.MET_OK {
		return Decimal{}, plainError(answer.error)
	}
	return Decimal{answer.value, true}, nil
}

// Add is the exact sum; [ErrOverflow] when it needs more than 34 digits.
func (d Decimal) Add(other Decimal) (Decimal, error) { return d.with(0, other) }

// Sub is the exact difference.
func (d Decimal) Sub(other Decimal) (Decimal, error) { return d.with(1, other) }

// Mul is the exact product.
func (d Decimal) Mul(other Decimal) (Decimal, error) { return d.with(2, other) }

// Div is the quotient with so many decimals, 0 to 24; [ErrInvalid] when other
// is 0.
func (d Decimal) Div(other Decimal, places int,
	rounding Rounding) (Decimal, error) {
	if err := checkPlaces(places); err != nil {
		return Decimal{}, err
	}
	if other.Cmp(Decimal{}) == 0 {
		return Decimal{}, &Error{Code: ErrInvalid, Field: "other",
			Reason: "must not be 0"}
	}
	answer := C.metgo_decimal_divide(d.value(), other.value(),
		C.uint32_t(places), C.uint32_t(rounding))
	if answer.error != C.MET_OK {
		return Decimal{}, plainError(answer.error)
	}
	return Decimal{answer.value, true}, nil
}

func checkPlaces(places int) error {
	if places < 0 || places > C.MET_DECIMAL_PLACES_MAX {
		return &Error{Code: ErrInvalid, Field: "places",
			Reason: fmt.Sprintf("must be 0 to %d", C.MET_DECIMAL_PLACES_MAX)}
	}
	return nil
}

// Round is d with so many decimals, 0 to 24.
func (d Decimal) Round(places int, rounding Rounding) (Decimal, error) {
	if err := checkPlaces(places); err != nil {
		return Decimal{}, err
	}
	answer := C.metgo_decimal_cut(d.value(), C.uint32_t(places),
		C.uint32_t(rounding))
	if answer.error != C.MET_OK {
		return Decimal{}, plainError(answer.error)
	}
	return Decimal{answer.value, true}, nil
}

// Cmp is -1, 0 or 1.
func (d Decimal) Cmp(other Decimal) int {
	return int(C.metgo_decimal_order(d.value(), other.value()))
}

// Rat is the same number for arithmetic that never overflows.
func (d Decimal) Rat() *big.Rat {
	value, _ := new(big.Rat).SetString(d.String())
	return value
}

// MarshalText writes the number as [Decimal.String] does.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a number as [ParseDecimal] does.
func (d *Decimal) UnmarshalText(text []byte) error {
	value, err := ParseDecimal(string(text))
	if err == nil {
		*d = value
	}
	return err
}

// UnmarshalJSON reads a string, or a JSON number as it is written.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	if len(data) >= 2 && data[0] == '"' {
		data = data[1 : len(data)-1]
	}
	return d.UnmarshalText(data)
}
