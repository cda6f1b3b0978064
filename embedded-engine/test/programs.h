/* The test programs. One executable contains all; its arguments are the name of one and its arguments. */
#ifndef MCG_TEST_PROGRAMS_H
#define MCG_TEST_PROGRAMS_H

int run_bitmap(int count, char **arguments);
int run_conformance(int count, char **arguments);
int run_processes(int count, char **arguments);
int run_deaths(int count, char **arguments);
int run_locks(int count, char **arguments);
int run_waits(int count, char **arguments);
int run_destroyed(int count, char **arguments);
int run_overwritten(int count, char **arguments);
int run_touch(int count, char **arguments);
int run_eviction(int count, char **arguments);
int run_listing(int count, char **arguments);
int run_room(int count, char **arguments);
int run_huge(int count, char **arguments);
int run_instructions(int count, char **arguments);
int run_truncated(int count, char **arguments);
int run_stress_threads(int count, char **arguments);
int run_stress_kills(int count, char **arguments);

#endif
