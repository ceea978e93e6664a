/* Paths: each spelling and its canonical name, each refusal and its reason. */
#include "meter_support.h"

#include "meter/attribute_path.h"

static met_error read_it(const char *path, char name_out[256],
                         const char **reason_out)
{
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;
    met__text name = {NULL, 0};

    met__arena_init(&arena, &platform);
    *reason_out = NULL;
    name_out[0] = '\0';
    met_error error = met__attribute_path_read(met__text_z(path), &arena,
                                               &name, reason_out);
    if (error == MET_OK) {
        snprintf(name_out, 256, "%.*s", (int)name.size, name.data);
    } else {
        assert_non_null(*reason_out);
    }
    met__arena_release(&arena);
    return error;
}

static void test_attribute_path__canonical(void **state)
{
    static const char *const cases[][2] = {
        {"$.a", "a"},
        {"$['a']", "a"},
        {"$[\"a\"]", "a"},
        {"$.a.b", "a.b"},
        {"$['a']['b']", "a.b"},
        {"$.x[0]", "x[0]"},
        {"$['x'][0].y", "x[0].y"},
        {"$[3]", "[3]"},
        {"$[3].a", "[3].a"},
        {"$.snake_case-9", "snake_case-9"},
        {"$['kong.route']", "['kong.route']"},
        {"$.a['1']", "a['1']"},
        {"$['\xc3\xa4']", "['\xc3\xa4']"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[256];
        const char *reason;
        met_error error = read_it(cases[i][0], name, &reason);
        if (error != MET_OK) {
            fail_msg("%s: %s", cases[i][0], reason);
        }
        assert_string_equal(name, cases[i][1]);
    }
}

static void test_attribute_path__round_trip(void **state)
{
    static const char *const names[] = {"a", "a.b", "[3].a", "['x y'].b",
                                        "x[0]"};
    met__platform platform = faulty_platform(NULL, NULL);
    met__arena arena;

    met__arena_init(&arena, &platform);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[256];
        const char *reason;
        met__text path = met__attribute_path_of(met__text_z(names[i]),
                                                &arena);
        assert_int_equal(read_it(path.data, name, &reason), MET_OK);
        assert_string_equal(name, names[i]);
    }
    met__arena_release(&arena);
}

static void test_attribute_path__refused(void **state)
{
    static const struct {
        const char *path;
        met_error error;
    } cases[] = {
        {"", MET_E_INVALID},          {"a", MET_E_INVALID},
        {"$", MET_E_INVALID},         {"$.", MET_E_INVALID},
        {"$a", MET_E_INVALID},        {"$.a.", MET_E_INVALID},
        {"$.1", MET_E_INVALID},       {"$..a", MET_E_UNSUPPORTED},
        {"$.*", MET_E_UNSUPPORTED},   {"$[*]", MET_E_UNSUPPORTED},
        {"$[-1]", MET_E_UNSUPPORTED}, {"$[0:1]", MET_E_UNSUPPORTED},
        {"$[?(@.a)]", MET_E_UNSUPPORTED}, {"$[]", MET_E_UNSUPPORTED},
        {"$['']", MET_E_INVALID},     {"$['a", MET_E_INVALID},
        {"$['a'", MET_E_INVALID},     {"$['a\\'b']", MET_E_UNSUPPORTED},
        {"$[\"a'b\"]", MET_E_UNSUPPORTED}, {"$[0", MET_E_INVALID},
        {"$[", MET_E_INVALID},        {"$[00]", MET_E_INVALID},
        {"$[1234567890]", MET_E_INVALID}, {"$.a b", MET_E_INVALID},
        {"$.a\n", MET_E_INVALID},     {"$.\xff", MET_E_INVALID},
        {"$.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", MET_E_LIMIT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[256];
        const char *reason;
        met_error error = read_it(cases[i].path, name, &reason);
        if (error != cases[i].error) {
            fail_msg("%s: %s", cases[i].path, met_error_name(error));
        }
    }
}

static void test_attribute_path__length(void **state)
{
    for (size_t size = 127; size <= 129; size++) {
        char path[300] = "$.";
        char name[256];
        const char *reason;
        memset(path + 2, 'a', size);
        assert_int_equal(read_it(path, name, &reason),
                         size <= 128 ? MET_OK : MET_E_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attribute_path__canonical),
        cmocka_unit_test(test_attribute_path__round_trip),
        cmocka_unit_test(test_attribute_path__refused),
        cmocka_unit_test(test_attribute_path__length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
