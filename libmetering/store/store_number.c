/* Numbers of META: sequences and the catalog number. In: a transaction and a
 * name. Out: the next number, or the last. A transaction keeps the sequence
 * that it asked for last, since many numbers of one are taken in a row. */
#include "base/check.h"
#include "store/store_env.h"

static met_error read_number(met__txn *txn, const char *name,
                             uint64_t *number_out)
{
    met__text value;
    met_error error = met__txn_get(txn, MET__TABLE_META, name, strlen(name),
                                   &value);

    *number_out = 0;
    if (error == MET_E_NOT_FOUND) {
        return MET_OK;
    }
    if (error == MET_OK && value.size != 8) {
        error = MET_E_CORRUPT;
    }
    if (error == MET_OK) {
        *number_out = met__get_u64((const unsigned char *)value.data);
    }
    return error;
}

static met_error put_number(met__txn *txn, const char *name, uint64_t number)
{
    unsigned char bytes[8];

    met__put_u64(bytes, number);
    return met__txn_put(txn, MET__TABLE_META, name, strlen(name), bytes,
                        sizeof bytes);
}

/* --- Sequences ------------------------------------------------------------ */
static void sequence_key(const char *name, char key[MET__SEQUENCE_KEY_SIZE])
{
    memcpy(key, "sequence.", 9);
    memcpy(key + 9, name, strlen(name) + 1);
}

met_error met__txn_put_sequence(met__txn *txn)
{
    char key[MET__SEQUENCE_KEY_SIZE];

    if (txn->sequence[0] == '\0') {
        return txn->error;
    }
    memcpy(key, txn->sequence, sizeof key);
    txn->sequence[0] = '\0';
    return txn->error == MET_OK && txn->is_sequence_new
               ? put_number(txn, key, txn->sequence_number)
               : txn->error;
}

static int is_kept(const met__txn *txn, const char *key)
{
    return strcmp(txn->sequence, key) == 0;
}

/* The sequence is the one that is kept. */
static met_error keep_sequence(met__txn *txn, const char *key)
{
    uint64_t number = 0;
    met_error error = met__txn_put_sequence(txn);

    if (error == MET_OK) {
        error = read_number(txn, key, &number);
    }
    if (error == MET_OK) {
        memcpy(txn->sequence, key, strlen(key) + 1);
        txn->sequence_number = number;
        txn->is_sequence_new = 0;
    }
    return error;
}

met_error met__txn_sequence(met__txn *txn, const char *name,
                            uint64_t *number_out)
{
    char key[MET__SEQUENCE_KEY_SIZE];
    met_error error = MET_OK;

    MET__ASSERT(name != NULL && strlen(name) < sizeof key - 10);
    sequence_key(name, key);
    if (txn->log != NULL) {
        return met__log_refuse(txn->log);
    }
    MET__ASSERT(txn->is_write);
    if (!is_kept(txn, key)) {
        error = keep_sequence(txn, key);
    } else {
        error = txn->error;
    }
    if (error == MET_OK && txn->sequence_number == UINT64_MAX) {
        error = MET_E_OVERFLOW;
    }
    if (error == MET_OK) {
        *number_out = ++txn->sequence_number;
        txn->is_sequence_new = 1;
    }
    return error;
}

met_error met__txn_sequence_last(met__txn *txn, const char *name,
                                 uint64_t *number_out)
{
    char key[MET__SEQUENCE_KEY_SIZE];

    MET__ASSERT(name != NULL && strlen(name) < sizeof key - 10);
    sequence_key(name, key);
    if (is_kept(txn, key)) {
        *number_out = txn->sequence_number;
        return txn->error;
    }
    return read_number(txn, key, number_out);
}

/* --- The catalog number --------------------------------------------------- */
#define CATALOG_NUMBER "catalog_number"

met_error met__txn_touch_catalog(met__txn *txn)
{
    uint64_t number;
    met_error error = read_number(txn, CATALOG_NUMBER, &number);

    if (error == MET_OK && number == UINT64_MAX) {
        error = MET_E_OVERFLOW;
    }
    return error == MET_OK ? put_number(txn, CATALOG_NUMBER, number + 1)
                           : error;
}

met_error met__txn_catalog_number(met__txn *txn, uint64_t *number_out)
{
    MET__ASSERT(number_out != NULL);
    return read_number(txn, CATALOG_NUMBER, number_out);
}
