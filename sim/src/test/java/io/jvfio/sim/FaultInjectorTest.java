// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FaultInjectorTest {
  private final SimulatedHost host = SimulatedHosts.open("x86-6.12");
  private final FaultInjector kernel = new FaultInjector(host.kernel());
  private final Arena arena = Arena.ofShared();

  @AfterEach
  void close() {
    arena.close();
    host.close();
  }

  @Test
  void everyCallIsCounted() throws Exception {
    int fd = kernel.open("/dev/vfio/vfio", Kernel.O_RDWR);
    kernel.ioctl(fd, Vfio.VFIO_GET_API_VERSION, 0);
    kernel.list("/dev/vfio");
    kernel.readText("/proc/self/comm");
    kernel.close(fd);
    assertThat(kernel.calls())
        .extracting(FaultInjector.Call::operation)
        .containsExactly(
            "open", "VFIO_GET_API_VERSION", "list", "open", "pread", "pread", "close", "close");
    assertThat(kernel.calls().get(0))
        .isEqualTo(new FaultInjector.Call(0, "open", "/dev/vfio/vfio", null));
    assertThat(kernel.calls().get(1).subject()).isEqualTo(Integer.toString(fd));
  }

  @Test
  void aCallThatIsMadeToFailIsNotMade() {
    kernel.failCall(1, Errno.ENOMEM);
    assertThat(kernel.open("/dev/vfio/vfio", Kernel.O_RDWR)).isPositive();
    assertThat(kernel.open("/dev/vfio/1", Kernel.O_RDWR)).isEqualTo(Errno.ENOMEM.result());
    assertThat(kernel.open("/dev/vfio/1", Kernel.O_RDWR)).isPositive();
    assertThat(kernel.calls().get(1).injected()).isEqualTo(Errno.ENOMEM);
    assertThat(host.resources().openFiles()).isEqualTo(2);
  }

  @Test
  void aFailedCloseStillCloses() {
    kernel.failEvery("close", Errno.EIO);
    int fd = kernel.open("/dev/vfio/vfio", Kernel.O_RDWR);
    assertThat(kernel.close(fd)).isEqualTo(Errno.EIO.result());
    assertThat(host.resources().openFiles()).isZero();
    kernel.failNone();
    assertThat(kernel.close(fd)).isEqualTo(Errno.EBADF.result());
  }

  @Test
  void aFailedMunmapStillUnmaps() {
    kernel.failEvery("munmap", Errno.EINVAL);
    long address = kernel.mmap(0x1000, 3, Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
    assertThat(kernel.munmap(address, 0x1000)).isEqualTo(Errno.EINVAL.result());
    assertThat(host.resources().anonymousMappings()).isZero();
  }

  @Test
  void theFirstConditionThatIsMetDecides() {
    kernel
        .failWhen(call -> call.subject().endsWith("/1"), Errno.EBUSY)
        .failWhen(call -> call.operation().equals("open"), Errno.EACCES);
    assertThat(kernel.open("/dev/vfio/1", Kernel.O_RDWR)).isEqualTo(Errno.EBUSY.result());
    assertThat(kernel.open("/dev/vfio/2", Kernel.O_RDWR)).isEqualTo(Errno.EACCES.result());
  }

  @Test
  void fileMethodsThrowWhatIsInjected() {
    kernel.failEvery("list", Errno.EACCES).failEvery("readLink", Errno.EIO);
    assertThatThrownBy(() -> kernel.list("/dev/vfio")).hasMessageContaining("EACCES");
    assertThatThrownBy(() -> kernel.readLink("/proc/self")).hasMessageContaining("EIO");
    kernel.failEvery("open", Errno.ENFILE);
    assertThatThrownBy(() -> kernel.readText("/proc/self/comm")).hasMessageContaining("ENFILE");
  }

  @Test
  void everyOtherCallCanFailToo() {
    var memory = arena.allocate(8);
    int fd = kernel.open("/dev/vfio/vfio", Kernel.O_RDWR);
    kernel.failWhen(_ -> true, Errno.EINTR);
    int eintr = Errno.EINTR.result();
    assertThat(kernel.ioctl(fd, Vfio.VFIO_GET_API_VERSION, 0)).isEqualTo(eintr);
    assertThat(kernel.ioctl(fd, Vfio.VFIO_GET_API_VERSION, memory)).isEqualTo(eintr);
    assertThat(kernel.pread(fd, memory, 0)).isEqualTo(eintr);
    assertThat(kernel.pwrite(fd, memory, 0)).isEqualTo(eintr);
    assertThat(kernel.mmap(0x1000, 3, Kernel.MAP_SHARED, fd, 0)).isEqualTo(eintr);
    assertThat(kernel.mlock(0, 0x1000)).isEqualTo(eintr);
    assertThat(kernel.access("/dev/vfio/1", Kernel.R_OK)).isEqualTo(eintr);
    assertThat(kernel.calls()).hasSize(8);
  }

  @Test
  void theCallsOfStorageCanFailAndAreNamedAsLinuxNamesThem() {
    var memory = arena.allocate(8);
    List<IntSupplier> calls =
        List.of(
            () -> kernel.open("/disk", Kernel.O_RDWR | Kernel.O_CREAT, 0600),
            () -> (int) kernel.preadv(3, memory, 1, 0),
            () -> (int) kernel.pwritev(3, memory, 1, 0),
            () -> (int) kernel.fileSize(3),
            () -> kernel.truncate(3, 0),
            () -> kernel.allocate(3, 0, 0, 1),
            () -> kernel.synchronizeData(3),
            () -> kernel.lockFile(3, true),
            () -> kernel.unlockFile(3),
            () -> kernel.ioUringSetup(3, memory),
            () -> kernel.ioUringEnter(3, 0, 0, 0),
            () -> kernel.ioUringRegister(3, 0, memory, 1));
    for (var call : calls) {
      assertThat(call.getAsInt()).as("a simulated host").isEqualTo(Errno.ENOSYS.result());
    }
    kernel.failWhen(_ -> true, Errno.EIO);
    for (var call : calls) {
      assertThat(call.getAsInt()).isEqualTo(Errno.EIO.result());
    }
    assertThatThrownBy(() -> kernel.status(3)).hasMessageContaining("statx(fd 3) failed: EIO");
    kernel.failNone();
    assertThatThrownBy(() -> kernel.status(3)).hasMessageContaining("ENOSYS");
    assertThat(kernel.calls().subList(calls.size(), 2 * calls.size() + 1))
        .allMatch(call -> call.subject().equals(call.index() == calls.size() ? "/disk" : "3"))
        .extracting(FaultInjector.Call::operation)
        .containsExactly(
            "open",
            "preadv",
            "pwritev",
            "lseek",
            "ftruncate",
            "fallocate",
            "fdatasync",
            "fcntl",
            "fcntl",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "statx");
  }

  @Test
  void theCallsOfSocketsCanFailAndAreNamedAsLinuxNamesThem() {
    var memory = arena.allocate(8);
    List<IntSupplier> calls =
        List.of(
            () -> kernel.socket(),
            () -> kernel.socketPair(new int[2]),
            () -> kernel.bind(3, "/run/device"),
            () -> kernel.connect(3, "/run/device"),
            () -> kernel.changeMode(3, 0600),
            () -> kernel.listen(3, 1),
            () -> kernel.accept(3),
            () -> kernel.shutdown(3),
            () -> kernel.setSocketOption(3, Kernel.SO_RCVTIMEO, memory),
            () -> kernel.socketOption(3, Kernel.SO_TYPE),
            () -> (int) kernel.send(3, memory, 0, 8, true),
            () -> (int) kernel.sendMessage(3, memory, true),
            () -> (int) kernel.receiveMessage(3, memory, true, false),
            () -> (int) kernel.readNow(3, memory),
            () -> kernel.awaitWritable(3, 0),
            () -> (int) kernel.remap(0x1000, 0x1000, 3, 3, 0),
            () -> (int) kernel.remapInaccessible(0x1000, 0x1000));
    for (var call : calls) {
      assertThat(call.getAsInt()).as("a simulated host").isEqualTo(Errno.ENOSYS.result());
    }
    kernel.failWhen(_ -> true, Errno.EIO);
    for (var call : calls) {
      assertThat(call.getAsInt()).isEqualTo(Errno.EIO.result());
    }
    assertThat(kernel.calls().subList(calls.size(), 2 * calls.size()))
        .extracting(call -> call.operation() + " " + call.subject())
        .containsExactly(
            "socket ",
            "socketpair ",
            "bind /run/device",
            "connect /run/device",
            "fchmod 3",
            "listen 3",
            "accept4 3",
            "shutdown 3",
            "setsockopt 3",
            "getsockopt 3",
            "send 3",
            "sendmsg 3",
            "recvmsg 3",
            "preadv2 3",
            "poll 3",
            "mmap 3",
            "mmap 0x1000");
  }

  @Test
  void factsAreTheKernelsOwn() {
    assertThat(kernel.architecture()).isEqualTo(host.kernel().architecture());
    assertThat(kernel.pageSize()).isEqualTo(4096);
    assertThat(kernel.lockedMemoryLimit()).isEqualTo(8 << 20);
    assertThat(kernel.calls()).isEmpty();
  }
}
