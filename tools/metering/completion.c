/* What shells complete, and the manual page, both from the table of commands:
 * metering completion bash|zsh|fish|man. */
#include "tool.h"

#include <string.h>

/* Whether a row is the first one of its noun. */
static int is_first_of_noun(const tool_command *row)
{
    for (const tool_command *other = tool_commands; other != row; other++) {
        if (strcmp(other->noun, row->noun) == 0) {
            return 0;
        }
    }
    return 1;
}

static void print_nouns(const char *separator)
{
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        if (is_first_of_noun(row)) {
            printf("%s%s", row->noun, separator);
        }
    }
    fputs("help", stdout);
}

static void print_verbs(const char *noun)
{
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        if (strcmp(row->noun, noun) == 0 && row->verb != NULL) {
            printf("%s ", row->verb);
        }
    }
}

static void print_options(const tool_command *row)
{
    const char *at = row->options;
    tool_option_name option;

    while (tool_next_option(&at, &option)) {
        printf("--%.*s ", (int)option.name_size, option.name);
    }
    fputs("--json --help", stdout);
}

/* "noun verb) answer ;;" for every noun and every command; bash and zsh read
 * it alike. */
static void print_cases(void)
{
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        if (is_first_of_noun(row) && row->verb != NULL) {
            printf("        \"%s \") list=\"", row->noun);
            print_verbs(row->noun);
            fputs("\" ;;\n", stdout);
        }
        if (row->verb != NULL) {
            printf("        \"%s %s\") list=\"", row->noun, row->verb);
        } else {
            printf("        \"%s \"*) list=\"", row->noun);
        }
        print_options(row);
        fputs("\" ;;\n", stdout);
    }
    fputs("        *) list=\"", stdout);
    print_nouns(" ");
    fputs("\" ;;\n", stdout);
}

static void print_bash(void)
{
    fputs("# bash completion for metering\n"
          "_metering()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} at=1 noun= verb= list=\n"
          "    while [ $at -lt \"$COMP_CWORD\" ]; do\n"
          "        case ${COMP_WORDS[at]} in\n"
          "            -d) at=$((at + 1)) ;;\n"
          "            -*) ;;\n"
          "            *) if [ -z \"$noun\" ]; then noun=${COMP_WORDS[at]}\n"
          "               elif [ -z \"$verb\" ]; then verb=${COMP_WORDS[at]}\n"
          "               fi ;;\n"
          "        esac\n"
          "        at=$((at + 1))\n"
          "    done\n"
          "    case \"$noun $verb\" in\n",
          stdout);
    print_cases();
    fputs("    esac\n"
          "    # shellcheck disable=SC2207\n"
          "    COMPREPLY=($(compgen -W \"$list\" -- \"$word\"))\n"
          "}\n"
          "complete -o default -F _metering metering\n",
          stdout);
}

static void print_zsh(void)
{
    fputs("#compdef metering\n"
          "_metering()\n{\n"
          "    local at=2 noun= verb= list=\n"
          "    while [ $at -lt $CURRENT ]; do\n"
          "        case ${words[at]} in\n"
          "            -d) at=$((at + 1)) ;;\n"
          "            -*) ;;\n"
          "            *) if [ -z \"$noun\" ]; then noun=${words[at]}\n"
          "               elif [ -z \"$verb\" ]; then verb=${words[at]}\n"
          "               fi ;;\n"
          "        esac\n"
          "        at=$((at + 1))\n"
          "    done\n"
          "    case \"$noun $verb\" in\n",
          stdout);
    print_cases();
    fputs("    esac\n"
          "    compadd -- ${=list} || _files\n"
          "}\n"
          "compdef _metering metering\n",
          stdout);
}

/* A text in single quotes of fish, which knows \' and \\. */
static void print_quoted(const char *text)
{
    fputc('\'', stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\') {
            fputc('\\', stdout);
        }
        fputc(*text, stdout);
    }
    fputs("'\n", stdout);
}

static void print_fish(void)
{
    fputs("# fish completion for metering\n"
          "complete -c metering -s d -r -d 'the directory of the store'\n"
          "complete -c metering -l json -d 'answers as JSON'\n",
          stdout);
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        const char *at = row->options;
        tool_option_name option;

        if (row->verb == NULL) {
            printf("complete -c metering -n __fish_use_subcommand -a %s -d ",
                   row->noun);
            print_quoted(row->summary);
        } else {
            if (is_first_of_noun(row)) {
                printf("complete -c metering -n __fish_use_subcommand -a %s\n",
                       row->noun);
            }
            printf("complete -c metering -f -n '__fish_seen_subcommand_from "
                   "%s' -a %s -d ",
                   row->noun, row->verb);
            print_quoted(row->summary);
        }
        while (tool_next_option(&at, &option)) {
            printf("complete -c metering -n '__fish_seen_subcommand_from %s",
                   row->noun);
            if (row->verb != NULL) {
                printf("; and __fish_seen_subcommand_from %s", row->verb);
            }
            printf("' -l %.*s%s\n", (int)option.name_size, option.name,
                   option.takes_value ? " -r" : "");
        }
    }
}

/* --- The manual page ------------------------------------------------------ */
/* A text for roff: no line begins as a request, a dash stays a dash. */
static void print_roff(const char *text)
{
    int is_at_start = 1;

    for (; *text != '\0'; text++) {
        if (is_at_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", stdout);
        }
        is_at_start = *text == '\n';
        if (*text == '\\') {
            fputs("\\e", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else {
            fputc(*text, stdout);
        }
    }
    fputc('\n', stdout);
}

static void print_manual_entry(const tool_command *row)
{
    const char *at = row->options;
    tool_option_name option;

    fputs(".TP\n.B metering ", stdout);
    printf("%s%s%s", row->noun, row->verb ? " " : "",
           row->verb ? row->verb : "");
    if (row->arguments[0] != '\0') {
        printf(" \\fI%s\\fP", row->arguments);
    }
    while (tool_next_option(&at, &option)) {
        fputs(" [\\-\\-", stdout);
        for (size_t i = 0; i < option.name_size; i++) {
            printf("%s%c", option.name[i] == '-' ? "\\" : "", option.name[i]);
        }
        printf("%s]%s", option.takes_value ? " \\fI…\\fP" : "",
               option.is_repeatable ? "…" : "");
    }
    fputc('\n', stdout);
    print_roff(row->summary);
    if (row->help != NULL) {
        fputs(".RS\n.nf\n", stdout);
        print_roff(row->help);
        fputs(".fi\n.RE\n", stdout);
    }
}

static void print_manual(void)
{
    printf(".TH METERING 1 \"\" \"metering %s\" \"User commands\"\n"
           ".SH NAME\nmetering \\- limits, usage, prices and invoices of an "
           "API gateway\n"
           ".SH SYNOPSIS\n"
           ".B metering\n[\\-d \\fIDIR\\fP] [\\-\\-json] \\fINOUN\\fP "
           "[\\fIVERB\\fP] [\\fIARGUMENTS\\fP] [\\fIOPTIONS\\fP]\n"
           ".SH DESCRIPTION\n"
           "Does from a shell what libmetering does in C, in the store of "
           "\\fIDIR\\fP, which\nany number of processes use at once.\n"
           ".SH OPTIONS\n"
           ".TP\n.B \\-d \\fIDIR\\fP\nthe directory of the store\n"
           ".TP\n.B \\-\\-json\nanswers as JSON\n"
           ".TP\n.B \\-\\-help\nafter a command: what it does and takes\n"
           ".TP\n.B \\-\\-version\nthe version of the library\n"
           ".SH COMMANDS\n",
           met_version_string());
    for (const tool_command *row = tool_commands; row->noun != NULL; row++) {
        print_manual_entry(row);
    }
    fputs(".SH ENVIRONMENT\n"
          ".TP\n.B METERING_DIR\nthe directory of the store when there is no "
          "\\-d\n"
          ".SH \"EXIT STATUS\"\n"
          "0: done. 1: failed, which has changed nothing; of many, the others "
          "are done.\n2: wrong use.\n"
          ".SH \"SEE ALSO\"\n"
          ".BR libmetering (7)\n",
          stdout);
}

int command_completion(tool *self)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } kinds[] = {{"bash", print_bash},
                 {"zsh", print_zsh},
                 {"fish", print_fish},
                 {"man", print_manual}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(self->arguments[0], kinds[i].name) == 0) {
            kinds[i].print();
            return TOOL_OK;
        }
    }
    return tool_usage(self, "\"%s\" is not bash, zsh, fish or man",
                      self->arguments[0]);
}
