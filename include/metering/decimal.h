/* Exact decimal numbers: IEEE 754 decimal128, 34 significant digits. Every
 * result is exact, or rounded where the caller named the places and the mode,
 * or an error: nothing is rounded in silence. */
#ifndef METERING_DECIMAL_H
#define METERING_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#include "metering/error.h"
#include "metering/export.h"

MET_BEGIN_DECLS

/* Bits of a finite decimal128 (binary encoding of the coefficient). 1.50 and
 * 1.5 differ in bits: compare with met_decimal_compare. Frozen for ever. */
typedef struct met_decimal {
    uint64_t bits[2];
} met_decimal;

enum {
    MET_ROUND_HALF_AWAY = 1, /* 0.5 -> 1, -0.5 -> -1: what money uses here */
    MET_ROUND_HALF_EVEN = 2,
    MET_ROUND_DOWN = 3, /* toward zero */
    MET_ROUND_UP = 4,   /* away from zero */
    MET_ROUND_FLOOR = 5,
    MET_ROUND_CEILING = 6
};

#define MET_DECIMAL_PLACES_MAX 24  /* of a rounded result */
#define MET_DECIMAL_TEXT_SIZE 96   /* room for any formatted value and a NUL */
#define MET_DECIMAL_DIGITS_MAX 34
#define MET_DECIMAL_EXPONENT_MAX 40 /* of input text, either sign */

/**
 * Read a decimal number: -?digits[.digits][e[+-]digits], nothing else.
 *
 * @param text       not necessarily NUL-terminated
 * @param text_size  bytes
 * @param value_out  written only on MET_OK
 * @return MET_OK · MET_E_INVALID (not of that form, empty, NULL) ·
 *         MET_E_OVERFLOW (more than 34 significant digits, or an exponent
 *         beyond MET_DECIMAL_EXPONENT_MAX)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_parse(const char *text,
                                                  size_t text_size,
                                                  met_decimal *value_out);

/**
 * Write a value in plain notation without needless zeros: "0.2", "-15", "0".
 *
 * @param value      a value made by this library
 * @param text_out   at least MET_DECIMAL_TEXT_SIZE bytes, NUL-terminated
 * @param size_out   length without the NUL; may be NULL
 * @return MET_OK · MET_E_INVALID (NULL, or not a finite canonical value) ·
 *         MET_E_OVERFLOW (the text would not fit)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_format(const met_decimal *value,
                                                   char *text_out,
                                                   size_t *size_out);

/**
 * Exact sum a + b.
 *
 * @param a, b       operands
 * @param value_out  written only on MET_OK; may be a or b
 * @return MET_OK · MET_E_INVALID (NULL, or not finite and canonical) ·
 *         MET_E_OVERFLOW (the exact result needs more than 34 digits)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_add(const met_decimal *a,
                                                const met_decimal *b,
                                                met_decimal *value_out);

/**
 * Exact difference a - b.
 *
 * @param a, b       operands
 * @param value_out  written only on MET_OK; may be a or b
 * @return MET_OK · MET_E_INVALID (NULL, or not finite and canonical) ·
 *         MET_E_OVERFLOW (the exact result needs more than 34 digits)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_subtract(const met_decimal *a,
                                                     const met_decimal *b,
                                                     met_decimal *value_out);

/**
 * Exact product a * b.
 *
 * @param a, b       operands
 * @param value_out  written only on MET_OK; may be a or b
 * @return MET_OK · MET_E_INVALID (NULL, or not finite and canonical) ·
 *         MET_E_OVERFLOW (the exact result needs more than 34 digits)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_multiply(const met_decimal *a,
                                                     const met_decimal *b,
                                                     met_decimal *value_out);

/**
 * a / b rounded once, to `places` decimals.
 *
 * @param a, b       operands
 * @param places     0 … MET_DECIMAL_PLACES_MAX
 * @param rounding   one of MET_ROUND_*
 * @param value_out  written only on MET_OK; may be an operand
 * @return MET_OK · MET_E_INVALID (NULL, not finite and canonical, other places
 *         or rounding, b = 0) · MET_E_OVERFLOW (more than 34 digits)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_divide(const met_decimal *a,
                                                   const met_decimal *b,
                                                   uint32_t places,
                                                   uint32_t rounding,
                                                   met_decimal *value_out);

/**
 * A value rounded to `places` decimals.
 *
 * @param value      operand
 * @param places     0 … MET_DECIMAL_PLACES_MAX
 * @param rounding   one of MET_ROUND_*
 * @param value_out  written only on MET_OK; may be an operand
 * @return MET_OK · MET_E_INVALID (NULL, not finite and canonical, other places
 *         or rounding)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_round(const met_decimal *value,
                                                  uint32_t places,
                                                  uint32_t rounding,
                                                  met_decimal *value_out);

/**
 * Compare two values.
 *
 * @param a, b       operands
 * @param order_out  -1, 0 or 1
 * @return MET_OK · MET_E_INVALID (NULL, or not finite and canonical)
 * @blocks never
 * @thread any      @fork any      @alloc none      @since 0.1
 */
MET_API MET_NODISCARD met_error met_decimal_compare(const met_decimal *a,
                                                    const met_decimal *b,
                                                    int32_t *order_out);

MET_END_DECLS

#endif
