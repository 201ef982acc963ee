"""What surrounds every call: the floating-point environment, and which kernels run.

Design
(a) A `Twin` is called like a function. It looks up which of its functions is chosen, in the
    context of the caller or for the process, and calls it with the arguments as they came.
(b) Rounding to nearest and gradual underflow are what definitions and kernels are written for. If
    the control register of the thread says anything else, it is set, and restored after the call.
    Else that costs one look at the register.
(c) An `Enclosed` does that for a Python function, which computes numbers of its own before and
    between its calls of twins: multipliers, sizes, scales. It stands in for the function in every
    other respect: attributes are those of the function, it binds as a method, and it is pickled by
    its name. Where it encloses calls of others, these find the usual environment.
(d) Threads of OpenMP have registers of their own, which they inherit from the thread that starts
    them; another library may have started them. A team is set once for each thread that leads one,
    and again after its leader was found in another environment.
(e) The threads of a process do not survive a fork, but OpenMP believes that they do: a forked
    process stays with one.
"""

cdef extern from *:
    """
    #include <stddef.h>
    #include <structmember.h>
    #if defined(_OPENMP)
    #include <omp.h>
    #endif
    #if defined(_MSC_VER)
    #define REFQUANT_THREAD_LOCAL __declspec(thread)
    #else
    #define REFQUANT_THREAD_LOCAL __thread
    #endif

    #if defined(__x86_64__) || defined(_M_X64)
    #include <immintrin.h>
    typedef unsigned int refquant_register;
    /* All exceptions masked; their flags, the lowest six bits, do not matter. */
    #define REFQUANT_USUAL 0x1F80u
    #define REFQUANT_FLAGS_OF_EXCEPTIONS 0x3Fu
    static inline refquant_register refquant_get(void) { return _mm_getcsr(); }
    static inline void refquant_set(refquant_register value) { _mm_setcsr(value); }
    #elif defined(__aarch64__)
    typedef unsigned long long refquant_register;
    #define REFQUANT_USUAL 0ull
    #define REFQUANT_FLAGS_OF_EXCEPTIONS 0ull
    static inline refquant_register refquant_get(void) {
        refquant_register value;
        __asm__ __volatile__("mrs %0, fpcr" : "=r"(value) : : "memory");
        return value;
    }
    static inline void refquant_set(refquant_register value) {
        __asm__ __volatile__("msr fpcr, %0" : : "r"(value) : "memory");
    }
    #else
    #include <fenv.h>
    typedef int refquant_register;
    #define REFQUANT_USUAL FE_TONEAREST
    #define REFQUANT_FLAGS_OF_EXCEPTIONS 0
    static inline refquant_register refquant_get(void) { return fegetround(); }
    static inline void refquant_set(refquant_register value) { fesetround(value); }
    #endif

    static inline int refquant_is_usual(refquant_register value) {
        return (value & ~REFQUANT_FLAGS_OF_EXCEPTIONS) == REFQUANT_USUAL;
    }

    static REFQUANT_THREAD_LOCAL int refquant_team = 1;  /* so many threads are set */

    static void refquant_set_team(int count) {
        if (count <= refquant_team) return;
    #if defined(_OPENMP)
        #pragma omp parallel num_threads(count)
        {
            if (!refquant_is_usual(refquant_get())) refquant_set(REFQUANT_USUAL);
        }
    #endif
        refquant_team = count;
    }

    static PyObject *refquant_chosen;  /* a ContextVar: the number of a choice, or None */
    static Py_ssize_t refquant_default = 0;

    typedef struct {
        PyObject_HEAD
        vectorcallfunc vectorcall;
        PyObject *functions;  /* a list, by the number of the choice */
        PyObject *attributes;
    } refquant_twin;

    static PyObject *refquant_function_of(PyObject *self) {
        PyObject *value = NULL, *function;
        Py_ssize_t choice = refquant_default;
        if (PyContextVar_Get(refquant_chosen, NULL, &value) < 0) return NULL;
        if (value != NULL) {
            if (value != Py_None) choice = PyLong_AsSsize_t(value);
            Py_DECREF(value);
        }
        function = PyList_GetItem(((refquant_twin *)self)->functions, choice);
        Py_XINCREF(function);
        return function;
    }

    static inline PyObject *refquant_enclose(
        PyObject *function, PyObject *const *arguments, size_t count, PyObject *names
    ) {
        refquant_register before = refquant_get();
        PyObject *result;
        if (refquant_is_usual(before))
            return PyObject_Vectorcall(function, arguments, count, names);
        refquant_team = 1;
        refquant_set(REFQUANT_USUAL);
        result = PyObject_Vectorcall(function, arguments, count, names);
        refquant_set(before);
        return result;
    }

    static PyObject *refquant_call(
        PyObject *self, PyObject *const *arguments, size_t count, PyObject *names
    ) {
        PyObject *result, *function = refquant_function_of(self);
        if (function == NULL) return NULL;
        result = refquant_enclose(function, arguments, count, names);
        Py_DECREF(function);
        return result;
    }

    static int refquant_traverse(PyObject *self, visitproc visit, void *arg) {
        refquant_twin *twin = (refquant_twin *)self;
        Py_VISIT(Py_TYPE(self));
        Py_VISIT(twin->functions);
        Py_VISIT(twin->attributes);
        return 0;
    }

    static int refquant_clear(PyObject *self) {
        refquant_twin *twin = (refquant_twin *)self;
        Py_CLEAR(twin->functions);
        Py_CLEAR(twin->attributes);
        return 0;
    }

    static void refquant_dealloc(PyObject *self) {
        PyTypeObject *type = Py_TYPE(self);
        PyObject_GC_UnTrack(self);
        refquant_clear(self);
        type->tp_free(self);
        Py_DECREF(type);
    }

    static PyMemberDef refquant_members[] = {
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(refquant_twin, vectorcall), READONLY, NULL},
        {"__dictoffset__", T_PYSSIZET, offsetof(refquant_twin, attributes), READONLY, NULL},
        {NULL, 0, 0, 0, NULL}
    };

    static PyGetSetDef refquant_properties[] = {
        {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL}
    };

    static PyType_Slot refquant_slots[] = {
        {Py_tp_call, (void *)PyVectorcall_Call},
        {Py_tp_traverse, (void *)refquant_traverse},
        {Py_tp_clear, (void *)refquant_clear},
        {Py_tp_dealloc, (void *)refquant_dealloc},
        {Py_tp_members, (void *)refquant_members},
        {Py_tp_getset, (void *)refquant_properties},
        {0, NULL}
    };

    static PyType_Spec refquant_spec = {
        "refquant._kernels._environment.Twin", sizeof(refquant_twin), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, refquant_slots
    };

    static PyObject *refquant_make_type(PyObject *chosen) {
        Py_INCREF(chosen);
        refquant_chosen = chosen;
        return PyType_FromSpec(&refquant_spec);
    }

    static PyObject *refquant_make_twin(PyObject *type, PyObject *functions) {
        refquant_twin *twin =
            (refquant_twin *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
        if (twin == NULL) return NULL;
        Py_INCREF(functions);
        twin->functions = functions;
        twin->vectorcall = refquant_call;
        return (PyObject *)twin;
    }

    typedef struct {
        PyObject_HEAD
        vectorcallfunc vectorcall;
        PyObject *function;
        PyObject *weak_references;
    } refquant_enclosed;

    #define REFQUANT_FUNCTION(self) (((refquant_enclosed *)(self))->function)

    static PyObject *refquant_call_enclosed(
        PyObject *self, PyObject *const *arguments, size_t count, PyObject *names
    ) {
        return refquant_enclose(REFQUANT_FUNCTION(self), arguments, count, names);
    }

    static PyObject *refquant_bind_enclosed(PyObject *self, PyObject *instance, PyObject *type) {
        (void)type;
        if (instance != NULL && instance != Py_None) return PyMethod_New(self, instance);
        Py_INCREF(self);
        return self;
    }

    static PyObject *refquant_get_attribute(PyObject *self, PyObject *name) {
        static const char *const own[] = {
            "__call__", "__get__", "__reduce__", "__reduce_ex__", "__repr__"
        };
        size_t i;
        if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0) {
            Py_INCREF(REFQUANT_FUNCTION(self));
            return REFQUANT_FUNCTION(self);
        }
        for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
            if (PyUnicode_CompareWithASCIIString(name, own[i]) == 0)
                return PyObject_GenericGetAttr(self, name);
        return PyObject_GetAttr(REFQUANT_FUNCTION(self), name);
    }

    static int refquant_set_attribute(PyObject *self, PyObject *name, PyObject *value) {
        return PyObject_SetAttr(REFQUANT_FUNCTION(self), name, value);
    }

    static PyObject *refquant_repr_enclosed(PyObject *self) {
        return PyObject_Repr(REFQUANT_FUNCTION(self));
    }

    static PyObject *refquant_reduce_enclosed(PyObject *self, PyObject *nothing) {
        (void)nothing;
        return PyObject_GetAttrString(REFQUANT_FUNCTION(self), "__qualname__");
    }

    static int refquant_traverse_enclosed(PyObject *self, visitproc visit, void *arg) {
        Py_VISIT(Py_TYPE(self));
        Py_VISIT(REFQUANT_FUNCTION(self));
        return 0;
    }

    static void refquant_dealloc_enclosed(PyObject *self) {
        PyTypeObject *type = Py_TYPE(self);
        PyObject_GC_UnTrack(self);
        if (((refquant_enclosed *)self)->weak_references != NULL) PyObject_ClearWeakRefs(self);
        Py_CLEAR(REFQUANT_FUNCTION(self));
        type->tp_free(self);
        Py_DECREF(type);
    }

    static PyMemberDef refquant_members_of_enclosed[] = {
        {"__vectorcalloffset__", T_PYSSIZET, offsetof(refquant_enclosed, vectorcall), READONLY,
         NULL},
        {"__weaklistoffset__", T_PYSSIZET, offsetof(refquant_enclosed, weak_references), READONLY,
         NULL},
        {NULL, 0, 0, 0, NULL}
    };

    static PyMethodDef refquant_methods_of_enclosed[] = {
        {"__reduce__", refquant_reduce_enclosed, METH_NOARGS, NULL},
        {NULL, NULL, 0, NULL}
    };

    /* Nothing clears a reference that calls rely on: function and caller are no cycle of theirs. */
    static PyType_Slot refquant_slots_of_enclosed[] = {
        {Py_tp_call, (void *)PyVectorcall_Call},
        {Py_tp_descr_get, (void *)refquant_bind_enclosed},
        {Py_tp_getattro, (void *)refquant_get_attribute},
        {Py_tp_setattro, (void *)refquant_set_attribute},
        {Py_tp_repr, (void *)refquant_repr_enclosed},
        {Py_tp_traverse, (void *)refquant_traverse_enclosed},
        {Py_tp_dealloc, (void *)refquant_dealloc_enclosed},
        {Py_tp_members, (void *)refquant_members_of_enclosed},
        {Py_tp_methods, (void *)refquant_methods_of_enclosed},
        {0, NULL}
    };

    static PyType_Spec refquant_spec_of_enclosed = {
        "refquant._kernels._environment.Enclosed", sizeof(refquant_enclosed), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL
            | Py_TPFLAGS_METHOD_DESCRIPTOR,
        refquant_slots_of_enclosed
    };

    static PyObject *refquant_make_type_of_enclosed(void) {
        return PyType_FromSpec(&refquant_spec_of_enclosed);
    }

    static PyObject *refquant_make_enclosed(PyObject *type, PyObject *function) {
        refquant_enclosed *enclosed =
            (refquant_enclosed *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
        if (enclosed == NULL) return NULL;
        Py_INCREF(function);
        enclosed->function = function;
        enclosed->vectorcall = refquant_call_enclosed;
        return (PyObject *)enclosed;
    }

    static int refquant_here_is_usual(void) { return refquant_is_usual(refquant_get()); }
    """
    Py_ssize_t refquant_default
    object refquant_make_type(object)
    object refquant_make_twin(object, object)
    object refquant_make_type_of_enclosed()
    object refquant_make_enclosed(object, object)
    int refquant_here_is_usual() noexcept nogil
    void refquant_set_team(int) noexcept nogil

from contextvars import ContextVar

chosen = ContextVar("number of the kernels that are chosen in a context", default=None)
Twin = refquant_make_type(chosen)
Enclosed = refquant_make_type_of_enclosed()


def twin(list functions not None):
    """Make a callable of functions, one for each choice; those that are not loaded are None."""
    return refquant_make_twin(Twin, functions)


def enclosed(function):
    """Make a stand-in for a Python function, which runs it in the usual environment."""
    return function if type(function) is Enclosed else refquant_make_enclosed(Enclosed, function)


def set_default(Py_ssize_t choice):
    """Choose for the process, by number."""
    global refquant_default
    refquant_default = choice


def is_usual():
    """Whether this thread rounds to nearest, keeps denormal numbers and masks exceptions."""
    return bool(refquant_here_is_usual())


cdef void set_team(int count) noexcept nogil:
    """Set the environment in the threads that this one leads."""
    refquant_set_team(count)
