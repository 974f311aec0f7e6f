/* Time: the two clocks, and RFC 3339 text both ways in the proleptic Gregorian calendar.
 * Not here: local time zones; every record is UTC. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#define US_PER_S 1000000LL
#define S_PER_DAY 86400LL

static int64_t clock_read_us(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return clock_read_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of January of that year. */
static int64_t days_before_year(int64_t year)
{
    int64_t y = year - 1;
    return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719162;
}

/* Exactly `digits` digits, and what comes after them. */
static char *put_number(char *at, unsigned value, int digits, char after)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    at[digits] = after;
    return at + digits + 1;
}

void clock_format(int64_t unix_us, int digits, bool trim, char *ret_text)
{
    int64_t seconds = floor_div(unix_us, US_PER_S);
    unsigned fraction = (unsigned)(unix_us - seconds * US_PER_S);
    int64_t days = floor_div(seconds, S_PER_DAY);
    unsigned in_day = (unsigned)(seconds - days * S_PER_DAY);

    int64_t year = 1970 + floor_div(days, 366); /* a guess; the loops below correct it */
    while (days_before_year(year) > days)
        year--;
    while (days_before_year(year + 1) <= days)
        year++;
    int day = (int)(days - days_before_year(year)), month = 1;
    while (day >= month_days(year, month))
        day -= month_days(year, month++);

    if (year < 0 || year > 9999)
        year = 0; /* nothing of ours is so old or so far */
    char *at = put_number(ret_text, (unsigned)year, 4, '-');
    at = put_number(at, (unsigned)month, 2, '-');
    at = put_number(at, (unsigned)day + 1, 2, 'T');
    at = put_number(at, in_day / 3600, 2, ':');
    at = put_number(at, in_day / 60 % 60, 2, ':');
    at = put_number(at, in_day % 60, 2, '.');
    if (digits > 0) {
        put_number(at, fraction, 6, '\0');
        at += digits < 6 ? digits : 6;
        while (trim && at[-1] == '0')
            at--;
    }
    if (at[-1] == '.')
        at--;
    memcpy(at, "Z", 2);
}

/* Read exactly `count` digits off the front of *s. */
static bool take_digits(struct str *s, size_t count, int *ret_value)
{
    if (s->len < count)
        return false;
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = str_skip(*s, count);
    *ret_value = value;
    return true;
}

static bool take_char(struct str *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    *s = str_skip(*s, 1);
    return true;
}

static bool take_date(struct str *s, int64_t *ret_days)
{
    int year, month, day;
    if (!take_digits(s, 4, &year) || !take_char(s, "-") || !take_digits(s, 2, &month) ||
        !take_char(s, "-") || !take_digits(s, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_days(year, month))
        return false;
    *ret_days = days_before_year(year) + day - 1;
    for (int m = 1; m < month; m++)
        *ret_days += month_days(year, m);
    return true;
}

static bool take_time(struct str *s, int64_t *ret_us)
{
    int hour, minute, second;
    if (!take_digits(s, 2, &hour) || !take_char(s, ":") || !take_digits(s, 2, &minute) ||
        !take_char(s, ":") || !take_digits(s, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60) /* 60: a leap second, as the next one */
        return false;
    int64_t us = (hour * 3600LL + minute * 60LL + second) * US_PER_S;
    if (take_char(s, ".")) {
        int digit;
        if (!take_digits(s, 1, &digit))
            return false;
        int64_t unit = US_PER_S;
        do {
            unit /= 10; /* digits beyond microseconds count nothing */
            us += digit * unit;
        } while (take_digits(s, 1, &digit));
    }
    *ret_us = us;
    return true;
}

static bool take_offset(struct str *s, int64_t *ret_seconds)
{
    if (take_char(s, "Zz")) {
        *ret_seconds = 0;
        return true;
    }
    bool west = s->len > 0 && s->ptr[0] == '-';
    int hours, minutes;
    if (!take_char(s, "+-") || !take_digits(s, 2, &hours) || !take_char(s, ":") ||
        !take_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 3600LL + minutes * 60LL) * (west ? -1 : 1);
    return true;
}

bool clock_parse(struct str text, int64_t *ret_unix_us)
{
    int64_t days = 0, us = 0, offset_s = 0;
    if (!take_date(&text, &days))
        return false;
    if (text.len > 0 &&
        (!take_char(&text, "Tt ") || !take_time(&text, &us) || !take_offset(&text, &offset_s)))
        return false;
    if (text.len > 0)
        return false;
    *ret_unix_us = (days * S_PER_DAY - offset_s) * US_PER_S + us;
    return true;
}
