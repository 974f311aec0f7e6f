/* Searching models: every word of the query must occur in a model's name, owner, tags or
 * description, in any case of the Latin letters. Best first: the full name itself, the name, a name
 * that begins so, then by where each word was found. Thousands of models are gone through in a
 * millisecond or two, so there is no index of words. */
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

#define SEARCH_QUERY_MAX 500 /* bytes; the work grows with it */
#define SEARCH_WORDS_MAX 16  /* a person types fewer */

/* What a place is worth. A word's worth is that of its best place; the whole query's comes on top.
 */
enum worth {
    WORTH_DESCRIPTION = 1,
    WORTH_TAG_PART = 2,
    WORTH_TAG = 3,
    WORTH_OWNER_PART = 3,
    WORTH_OWNER = 4,
    WORTH_NAME_PART = 5,
    WORTH_NAME_START = 6,
    WORTH_NAME = 8, /* the most a word can have */
    WORTH_WHOLE_NAME_START = 20,
    WORTH_WHOLE_NAME = 50,
    WORTH_WHOLE_FULL_NAME = 100 /* the most a query can have on top */
};

struct search {
    char text[SEARCH_QUERY_MAX + 1]; /* words, each ended by a 0 */
    char whole[SEARCH_QUERY_MAX + 1];
    const char *words[SEARCH_WORDS_MAX];
    int word_count;
};

struct found {
    const struct registry_model *model;
    int worth;
    int order; /* in the list of all: what decides among equals */
};

static bool read_query(const char *query, struct search *search, struct err *err)
{
    struct str rest = str_trim(str_from(query));
    char *word, *place = NULL;

    if (!str_copy(rest, search->whole, sizeof(search->whole)))
        return err_set(err, ERR_INVALID, "A query has at most %d bytes.", SEARCH_QUERY_MAX);
    str_copy(rest, search->text, sizeof(search->text));
    for (word = strtok_r(search->text, " \t\r\n\f\v", &place); word;
         word = strtok_r(NULL, " \t\r\n\f\v", &place)) {
        if (search->word_count == SEARCH_WORDS_MAX)
            return err_set(err, ERR_INVALID, "A query has at most %d words.", SEARCH_WORDS_MAX);
        search->words[search->word_count++] = word;
    }
    return true;
}

static bool starts(const char *text, const char *start)
{
    return strncasecmp(text, start, strlen(start)) == 0;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int worth_in_name(const struct registry_model *model, const char *word)
{
    if (strcasecmp(model->name, word) == 0)
        return WORTH_NAME;
    if (starts(model->name, word))
        return WORTH_NAME_START;
    if (strcasestr(model->name, word))
        return WORTH_NAME_PART;
    if (strcasecmp(model->owner, word) == 0)
        return WORTH_OWNER;
    /* A word may be "owner/name", or a part of it. */
    return strcasestr(model->full_name, word) ? WORTH_OWNER_PART : 0;
}

static int worth_of_word(const struct registry_model *model, const char *word)
{
    int worth = worth_in_name(model, word);

    for (size_t i = 0; i < json_array_size(model->tags); i++) {
        const char *tag = json_string_value(json_array_get(model->tags, i));

        if (strcasecmp(tag, word) == 0)
            worth = larger(worth, WORTH_TAG);
        else if (strcasestr(tag, word))
            worth = larger(worth, WORTH_TAG_PART);
    }
    if (worth == 0 && strcasestr(model->description, word))
        worth = WORTH_DESCRIPTION;
    return worth;
}

/* 0: it does not match. */
static int worth_of(const struct registry_model *model, const struct search *search)
{
    int worth = 0;

    for (int i = 0; i < search->word_count; i++) {
        int one = worth_of_word(model, search->words[i]);

        if (one == 0)
            return 0;
        worth += one;
    }
    if (worth == 0)
        return 0;
    if (strcasecmp(model->full_name, search->whole) == 0)
        return worth + WORTH_WHOLE_FULL_NAME;
    if (strcasecmp(model->name, search->whole) == 0)
        return worth + WORTH_WHOLE_NAME;
    return starts(model->name, search->whole) ? worth + WORTH_WHOLE_NAME_START : worth;
}

static int compare_found(const void *left, const void *right)
{
    const struct found *a = left, *b = right;

    if (a->worth != b->worth)
        return a->worth < b->worth ? 1 : -1;
    if (a->model->run_count != b->model->run_count)
        return a->model->run_count < b->model->run_count ? 1 : -1;
    return a->order - b->order;
}

static bool may_see(const struct registry_model *model, const char *account)
{
    return strcmp(model->visibility, "private") != 0 ||
           (account && model->account && strcmp(model->account, account) == 0);
}

static int find_all(const struct search *search, const char *account,
                    const struct registry_model **models, int count, struct found *found)
{
    int matches = 0;

    for (int i = 0; i < count; i++) {
        int worth = may_see(models[i], account) ? worth_of(models[i], search) : 0;

        if (worth > 0)
            found[matches++] = (struct found){ models[i], worth, i };
    }
    qsort(found, (size_t)matches, sizeof(*found), compare_found);
    return matches;
}

bool registry_search(const struct registry *registry, const char *query, const char *account,
                     int limit, const struct registry_model ***ret_models, double **ret_scores,
                     int *ret_count, struct err *err)
{
    const struct registry_model **models = NULL;
    struct search search = { 0 };
    struct found *found;
    double *scores;
    int count = 0, matches, best;

    if (!read_query(query, &search, err) || !registry_list(registry, &models, &count, err))
        return false;
    found = calloc((size_t)count + 1, sizeof(*found));
    scores = calloc((size_t)count + 1, sizeof(*scores));
    if (!found || !scores) {
        free(models);
        free(found);
        free(scores);
        return err_set(err, ERR_NO_MEMORY, "not enough memory to search");
    }
    matches = find_all(&search, account, models, count, found);
    if (matches > limit)
        matches = limit > 0 ? limit : 0;
    best = WORTH_WHOLE_FULL_NAME + WORTH_NAME * search.word_count;
    for (int i = 0; i < matches; i++) {
        models[i] = found[i].model;
        scores[i] = (double)found[i].worth / best;
    }
    free(found);
    *ret_models = models;
    *ret_scores = scores;
    *ret_count = matches;
    return true;
}
