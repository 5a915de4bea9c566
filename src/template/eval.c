/* SPDX-License-Identifier: Apache-2.0 */
/* Executes a template, after Go's text/template/exec.go.
 *
 * Invariants:
 *  E1 every value is an owned reference; `_cleanup_(value_done)` lets go of it.
 *  E2 slot 0 is $, the data; the other slots hold what the innermost declaration gave them. A slot
 *     is written before it is read, because the parser resolved it in its scope.
 *  E3 every node executed and every byte made counts as work; exec_work stops the template when
 *     TEMPLATE_STEPS_MAX nodes' worth is done, so that nothing runs for ever.
 *  E4 recursion is as deep as the source nests, which the parser bounds. */
#include "template/template-internal.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Why a list of nodes ended. */
enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAILED };

static enum flow run_list(struct exec *x, const struct node *list, const struct value *dot);
static int eval_pipe(struct exec *x, const struct node *pipe, const struct value *dot,
		     struct value *ret);

#define STEP_BYTES 32

int exec_step(struct exec *x)
{
	return exec_work(x, STEP_BYTES);
}

int exec_work(struct exec *x, uint64_t n)
{
	uint64_t max = x->data->steps_max ? x->data->steps_max : TEMPLATE_STEPS_MAX;

	x->work += n;
	if (x->work / STEP_BYTES <= max)
		return 0;
	return err_set(x->e, ERR_LIMIT, 0, "template: it takes too many steps");
}

int exec_fail(struct exec *x, const struct node *at, const char *fmt, ...)
{
	uint32_t line = 1, column = at->pos;
	char msg[400];
	va_list ap;

	for (uint32_t i = 0; i < at->pos; i++)
		if (x->t->src[i] == '\n') {
			line++;
			column = at->pos - i - 1;
		}
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return err_set(x->e, ERR_INVALID, 0, "template: :%u:%u: executing \"\" at <%.*s>: %s", line,
		       column, (int)MIN(at->end - at->start, 200U), x->t->src + at->start, msg);
}

static int fail_oom(struct exec *x)
{
	return err_set(x->e, ERR_LIMIT, 0, "template: out of memory");
}

static void set(struct value *v, json_t *borrowed, bool map)
{
	json_t *j = json_incref(borrowed);

	value_done(v);
	v->j = j;
	v->map = map;
}

/* -- fields ---------------------------------------------------------------------------------- */

static int field_missing(struct exec *x, const struct node *at, const struct value *v,
			 const char *name)
{
	const char *type = value_type(v);

	if (json_is_object(v->j))
		type = x->structs && v->j == x->data->value ? x->data->struct_type : "struct";
	else if (!x->structs && !json_is_array(v->j))
		type = "interface {}";
	return exec_fail(x, at, "can't evaluate field %s in type %s", name, type);
}

/* Replaces V by its field NAME. */
static int eval_field(struct exec *x, const struct node *at, const char *name, struct value *v)
{
	bool map = v->map || !x->structs;
	json_t *j;

	if (!v->j && !x->data->missing_is_error)
		return 0;
	if (!v->j)
		return exec_fail(x, at, "nil data; no entry for key \"%s\"", name);
	if (json_is_null(v->j))
		return v->map ? (value_done(v), 0)
			      : exec_fail(x, at, "nil pointer evaluating interface {}.%s", name);
	if (!json_is_object(v->j))
		return field_missing(x, at, v, name);
	j = json_object_get(v->j, name);
	if (!j && !map)
		return field_missing(x, at, v, name);
	if (!j && x->data->missing_is_error)
		return exec_fail(x, at, "map has no entry for key \"%s\"", name);
	set(v, j, x->structs && strv_has(x->data->maps, name));
	return 0;
}

/* The fields FROM and on of the node, out of V. */
static int eval_fields(struct exec *x, const struct node *n, size_t count, struct value *v)
{
	for (size_t i = 0; i < count; i++)
		if (eval_field(x, n, n->names[i], v) < 0)
			return -1;
	return 0;
}

static const struct template_method *method_find(const struct exec *x, const struct value *self,
						 const char *name)
{
	const struct template_method *m = x->data->methods;

	if (!m || !json_is_object(self->j) || self->map)
		return NULL;
	for (; m->name; m++)
		if (str_eq(m->name, name))
			return m;
	return NULL;
}

/* -- calls ----------------------------------------------------------------------------------- */

#define ARGS_MAX 64

struct args {
	struct value v[ARGS_MAX];
	size_t n;
};

static void args_done(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		value_done(&a->v[i]);
}

static int eval_operand(struct exec *x, const struct node *n, const struct value *dot,
			struct value *ret);

/* Evaluates the operands from N on, and FINAL (which may be NULL) behind them. */
static int eval_args(struct exec *x, const struct node *n, const struct value *dot,
		     const struct value *final, struct args *a)
{
	for (; n; n = n->next) {
		if (a->n + 1 >= ARGS_MAX)
			return exec_fail(x, n, "more than %d arguments", ARGS_MAX);
		if (eval_operand(x, n, dot, &a->v[a->n++]) < 0)
			return -1;
	}
	if (final)
		set(&a->v[a->n++], final->j, final->map);
	return 0;
}

/* Whether the argument V is of the type T ('s', 'i', 'l', 'v'). */
static int check_arg(struct exec *x, const struct node *at, char t, const struct value *v)
{
	static const struct {
		char letter;
		json_type type;
		const char *name;
	} types[] = {{'s', JSON_STRING, "string"},
		     {'i', JSON_INTEGER, "int"},
		     {'l', JSON_ARRAY, "[]string"}};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (t != types[i].letter)
			continue;
		if (v->j && json_typeof(v->j) == types[i].type)
			return 0;
		if (t == 'l' && json_is_null(v->j))
			return 0; /* a nil slice */
		if (!v->j)
			return exec_fail(x, at, "invalid value; expected %s", types[i].name);
		if (at->kind == NODE_LITERAL)
			return exec_fail(x, at, "expected %s; found %.*s", types[i].name,
					 (int)MIN(at->end - at->start, 60U), x->t->src + at->start);
		return exec_fail(x, at, "wrong type for value; expected %s; got %s", types[i].name,
				 value_type(v));
	}
	return 0;
}

static int check_args(struct exec *x, const struct node *call, const struct args *a)
{
	const struct function *f = call->first->function;
	const struct node *operand = call->first->next;
	const char *t = f->types;

	if (a->n < (size_t)f->min || (f->max >= 0 && a->n > (size_t)f->max))
		return exec_fail(x, call->first, "wrong number of args for %s: want %s%d got %zu",
				 f->name, f->min == f->max ? "" : "at least ", f->min, a->n);
	for (size_t i = 0; i < a->n && !(x->data->headers && f->in_headers); i++) {
		if (check_arg(x, operand ? operand : call, *t, &a->v[i]) < 0)
			return -1;
		operand = operand ? operand->next : NULL;
		t += t[1] != '\0';
	}
	return 0;
}

/* and, or: stop at the first operand that decides. */
static int eval_lazy(struct exec *x, const struct node *cmd, const struct value *dot,
		     const struct value *final, struct value *ret)
{
	const struct function *f = cmd->first->function;
	bool is_or = str_eq(f->name, "or");
	const struct node *n = cmd->first->next;

	if (!n && !final)
		return exec_fail(x, cmd->first,
				 "wrong number of args for %s: want at least 1 got 0", f->name);
	for (; n; n = n->next) {
		value_done(ret);
		if (eval_operand(x, n, dot, ret) < 0)
			return -1;
		if (value_true(ret, x->structs) == is_or)
			return 0;
	}
	if (final)
		set(ret, final->j, final->map);
	return 0;
}

static int eval_call(struct exec *x, const struct node *cmd, const struct value *dot,
		     const struct value *final, struct value *ret)
{
	const struct function *f = cmd->first->function;
	_cleanup_(args_done) struct args a = {.n = 0};
	struct err e = ERR_INIT;
	struct call c = {.x = x, .args = a.v};

	if (f->lazy)
		return eval_lazy(x, cmd, dot, final, ret);
	if (eval_args(x, cmd->first->next, dot, final, &a) < 0 || check_args(x, cmd, &a) < 0)
		return -1;
	c.n = a.n;
	if (f->run(&c, ret, &e) == 0)
		return 0;
	if (x->e && e.class == ERR_LIMIT) {
		*x->e = e;
		return -1;
	}
	return exec_fail(x, cmd, "error calling %s: %s", f->name, e.msg);
}

/* .Field or $x.Field as the first word: the last name may be a method that takes the operands. */
static int eval_field_command(struct exec *x, const struct node *cmd, const struct value *dot,
			      const struct value *final, struct value *ret)
{
	const struct node *n = cmd->first;
	bool args = n->next || final;
	const char *last = n->n_names ? n->names[n->n_names - 1] : NULL;
	const struct value *from = n->kind == NODE_FIELD ? dot : &x->slots[n->slots[0]];
	_cleanup_(args_done) struct args a = {.n = 0};
	const char *texts[ARGS_MAX];
	const struct template_method *m;
	struct err e = ERR_INIT;

	set(ret, from->j, from->map);
	if (!last)
		return args ? exec_fail(x, n, "can't give argument to non-function %.*s",
					(int)(n->end - n->start), x->t->src + n->start)
			    : 0;
	if (eval_fields(x, n, n->n_names - 1, ret) < 0)
		return -1;
	m = method_find(x, ret, last);
	if (!m && !args)
		return eval_field(x, n, last, ret);
	if (!m)
		return exec_fail(x, n, "%s is not a method but has arguments", last);
	if (eval_args(x, n->next, dot, final, &a) < 0)
		return -1;
	if (a.n != m->n_args)
		return exec_fail(x, n, "wrong number of args for %s: want %zu got %zu", last,
				 m->n_args, a.n);
	for (size_t i = 0; i < a.n; i++) {
		if (check_arg(x, n, 's', &a.v[i]) < 0)
			return -1;
		texts[i] = json_string_value(a.v[i].j);
	}
	json_t *j = m->call(ret->j, texts, &e);

	if (!j)
		return exec_fail(x, n, "error calling %s: %s", last, e.msg);
	value_done(ret);
	ret->j = j;
	return 0;
}

/* -- operands, commands, pipelines ------------------------------------------------------------ */

/* A word by itself, as a command without operands. */
static int eval_operand(struct exec *x, const struct node *n, const struct value *dot,
			struct value *ret)
{
	struct node cmd = {.kind = NODE_COMMAND, .pos = n->pos, .start = n->start, .end = n->end};
	struct node word = *n;

	if (exec_step(x) < 0)
		return -1;
	word.next = NULL;
	cmd.first = &word;
	switch (n->kind) {
	case NODE_DOT:
		set(ret, dot->j, dot->map);
		return 0;
	case NODE_NIL:
		value_done(ret);
		return 0;
	case NODE_LITERAL:
		set(ret, n->value, false);
		return 0;
	case NODE_PIPE:
		return eval_pipe(x, n, dot, ret);
	case NODE_CHAIN:
		if (eval_pipe(x, n->pipe, dot, ret) < 0)
			return -1;
		return eval_fields(x, n, n->n_names, ret);
	case NODE_FUNCTION:
		return eval_call(x, &cmd, dot, NULL, ret);
	default:
		return eval_field_command(x, &cmd, dot, NULL, ret);
	}
}

static int eval_command(struct exec *x, const struct node *cmd, const struct value *dot,
			const struct value *final, struct value *ret)
{
	const struct node *first = cmd->first;

	if (exec_step(x) < 0)
		return -1;
	if (first->kind == NODE_FUNCTION)
		return eval_call(x, cmd, dot, final, ret);
	if (first->kind == NODE_FIELD || first->kind == NODE_VARIABLE)
		return eval_field_command(x, cmd, dot, final, ret);
	if (first->next || final)
		return exec_fail(x, first, "can't give argument to non-function %.*s",
				 (int)MIN(first->end - first->start, 100U),
				 x->t->src + first->start);
	if (first->kind == NODE_NIL)
		return exec_fail(x, first, "nil is not a command");
	return eval_operand(x, first, dot, ret);
}

static int eval_pipe(struct exec *x, const struct node *pipe, const struct value *dot,
		     struct value *ret)
{
	_cleanup_(value_done) struct value v = VALUE_NONE;

	for (const struct node *cmd = pipe->first; cmd; cmd = cmd->next) {
		_cleanup_(value_done) struct value next = VALUE_NONE;

		if (eval_command(x, cmd, dot, cmd == pipe->first ? NULL : &v, &next) < 0)
			return -1;
		set(&v, next.j, next.map);
	}
	if (pipe->n_slots > 0)
		set(&x->slots[pipe->slots[pipe->n_slots - 1]], v.j, v.map);
	set(ret, v.j, v.map);
	return 0;
}

/* -- statements ------------------------------------------------------------------------------- */

static int out_failed(struct exec *x, int r)
{
	if (r == -ENOMEM)
		return fail_oom(x);
	return err_set(x->e, ERR_LIMIT, 0, "template: the output is too long or nests too deep");
}

/* Counts what came to the output since it was BEFORE long. */
static int count_output(struct exec *x, size_t before, int r)
{
	if (r < 0 || x->out->len > TEMPLATE_OUTPUT_MAX)
		return out_failed(x, r);
	return exec_work(x, x->out->len - before);
}

static int run_action(struct exec *x, const struct node *n, const struct value *dot)
{
	_cleanup_(value_done) struct value v = VALUE_NONE;
	size_t before = x->out->len;

	if (eval_pipe(x, n->pipe, dot, &v) < 0)
		return -1;
	if (n->pipe->n_slots > 0)
		return 0;
	return count_output(x, before, value_print(&v, x->data, x->out));
}

static enum flow run_branch(struct exec *x, const struct node *n, const struct value *dot)
{
	_cleanup_(value_done) struct value v = VALUE_NONE;

	if (eval_pipe(x, n->pipe, dot, &v) < 0)
		return FLOW_FAILED;
	if (value_true(&v, x->structs))
		return run_list(x, n->body, n->kind == NODE_WITH ? &v : dot);
	return run_list(x, n->other, dot);
}

/* One turn of a range: KEY and ELEM go to the variables; ELEM is the dot. */
static enum flow run_turn(struct exec *x, const struct node *n, json_t *key_take,
			  const struct value *elem)
{
	const struct node *pipe = n->pipe;
	enum flow flow;

	if (pipe->n_slots > 0)
		set(&x->slots[pipe->slots[pipe->n_slots - 1]], elem->j, elem->map);
	if (pipe->n_slots > 1)
		set(&x->slots[pipe->slots[0]], key_take, false);
	json_decref(key_take);
	flow = exec_step(x) < 0 ? FLOW_FAILED : run_list(x, n->body, elem);
	return flow == FLOW_CONTINUE ? FLOW_NEXT : flow;
}

static enum flow range_array(struct exec *x, const struct node *n, json_t *array)
{
	size_t count = json_array_size(array);

	for (size_t i = 0; i < count; i++) {
		struct value elem = {.j = json_array_get(array, i)};
		enum flow flow = run_turn(x, n, json_integer((json_int_t)i), &elem);

		if (flow != FLOW_NEXT)
			return flow;
	}
	return FLOW_NEXT;
}

static enum flow range_object(struct exec *x, const struct node *n, json_t *object)
{
	size_t count = 0;
	_cleanup_(freep) const char **keys = value_sorted_keys(object, &count);

	if (!keys)
		return fail_oom(x), FLOW_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct value elem = {.j = json_object_get(object, keys[i])};
		enum flow flow = run_turn(x, n, json_string(keys[i]), &elem);

		if (flow != FLOW_NEXT)
			return flow;
	}
	return FLOW_NEXT;
}

static enum flow range_integer(struct exec *x, const struct node *n, json_int_t count)
{
	for (json_int_t i = 0; i < count; i++) {
		_cleanup_(value_done) struct value elem = {.j = json_integer(i)};
		enum flow flow = run_turn(x, n, json_integer(i), &elem);

		if (flow != FLOW_NEXT)
			return flow;
	}
	return FLOW_NEXT;
}

static enum flow run_range(struct exec *x, const struct node *n, const struct value *dot)
{
	_cleanup_(value_done) struct value v = VALUE_NONE;
	enum flow flow = FLOW_NEXT;
	bool iterates;

	if (eval_pipe(x, n->pipe, dot, &v) < 0)
		return FLOW_FAILED;
	iterates = !v.j || json_is_null(v.j) || json_is_array(v.j) || json_is_integer(v.j) ||
		   (json_is_object(v.j) && (v.map || !x->structs));
	if (!iterates) {
		(void)exec_fail(x, n->pipe, "range can't iterate over %s", value_type(&v));
		return FLOW_FAILED;
	}
	if (!value_true(&v, x->structs) || (json_is_integer(v.j) && json_integer_value(v.j) < 0))
		return run_list(x, n->other, dot);
	if (json_is_array(v.j))
		flow = range_array(x, n, v.j);
	else if (json_is_object(v.j))
		flow = range_object(x, n, v.j);
	else
		flow = range_integer(x, n, json_integer_value(v.j));
	return flow == FLOW_BREAK ? FLOW_NEXT : flow;
}

static enum flow run_node(struct exec *x, const struct node *n, const struct value *dot)
{
	size_t before = x->out->len;
	int r;

	switch (n->kind) {
	case NODE_TEXT:
		r = buf_put(x->out, x->t->src + n->start, n->end - n->start);
		return count_output(x, before, r) < 0 ? FLOW_FAILED : FLOW_NEXT;
	case NODE_ACTION:
		return run_action(x, n, dot) < 0 ? FLOW_FAILED : FLOW_NEXT;
	case NODE_RANGE:
		return run_range(x, n, dot);
	case NODE_BREAK:
		return FLOW_BREAK;
	case NODE_CONTINUE:
		return FLOW_CONTINUE;
	default:
		return run_branch(x, n, dot);
	}
}

static enum flow run_list(struct exec *x, const struct node *list, const struct value *dot)
{
	enum flow flow = FLOW_NEXT;

	for (const struct node *n = list; n && flow == FLOW_NEXT; n = n->next)
		flow = exec_step(x) < 0 ? FLOW_FAILED : run_node(x, n, dot);
	return flow;
}

int template_execute(const struct template *t, const struct template_data *data, struct buf *out,
		     struct err *e)
{
	struct exec x = {.t = t, .data = data, .out = out, .e = e, .structs = data->struct_type};
	struct value dot = {.j = data->value};
	enum flow flow;

	x.slots = calloc(t->n_slots, sizeof(*x.slots));
	if (!x.slots)
		return fail_oom(&x);
	set(&x.slots[0], dot.j, false);
	flow = run_list(&x, t->list, &dot);
	for (size_t i = 0; i < t->n_slots; i++)
		value_done(&x.slots[i]);
	free(x.slots);
	return flow == FLOW_FAILED ? -1 : 0;
}
