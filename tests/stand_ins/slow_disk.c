/* A disk that takes its time: loaded before the system's own library, it makes each flush wait.

   Every flush takes MILLISECONDS longer. While there is a file HELD, flushes wait until it is gone,
   and the first that does makes a file WAITING, so that others can know.
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* By the kernel's own call: a library that moves the clock, loaded too, has one of its own. */
static void wait_for(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    syscall(SYS_nanosleep, &time, NULL);
}

static void take_time(void)
{
    wait_for(MILLISECONDS);
    while (access(HELD, F_OK) == 0) {
        int waiting = open(WAITING, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        if (waiting >= 0)
            close(waiting);
        wait_for(1);
    }
}

int fsync(int file)
{
    take_time();
    return syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    take_time();
    return syscall(SYS_fdatasync, file);
}
