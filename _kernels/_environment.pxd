cdef void set_team(int count) noexcept nogil
