// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.management.ThreadMXBean;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaLease;
import io.jvfio.user.SharedFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ClientMemoryTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  /** A busy machine takes its time to compile what is measured. */
  private static final long LIMIT_NANOS = 60_000_000_000L;

  private static final long PAGE = ClientMemory.PAGE_SIZE;
  private static final int MAX_MAPS = 64;
  private static final int FILE_SIZE = 64 << 10;

  private boolean busMaster = true;
  private final Messages messages = new Messages();
  private final ClientMemory memory = new ClientMemory(KERNEL, () -> busMaster, messages, MAX_MAPS);
  private final long descriptors = SharedFile.openDescriptors();
  private SharedFile file;

  @BeforeEach
  void openFile() {
    file = new SharedFile(FILE_SIZE);
  }

  @AfterEach
  void nothingIsLeft() {
    memory.close();
    file.close();
    assertThat(SharedFile.openDescriptors()).isEqualTo(descriptors);
    assertThat(SharedFile.mappings()).isZero();
  }

  /** A client's answers: memory from address 0 on. */
  private static final class Messages implements ClientMemory.DmaMessages {
    final List<String> calls = new ArrayList<>();
    final MemorySegment memory = MemorySegment.ofArray(new byte[FILE_SIZE]);
    int answer;

    @Override
    public int read(long iova, MemorySegment target, long offset, long byteSize) {
      calls.add("read %x %d".formatted(iova, byteSize));
      MemorySegment.copy(memory, iova, target, offset, byteSize);
      return answer;
    }

    @Override
    public int write(long iova, MemorySegment source, long offset, long byteSize) {
      calls.add("write %x %d".formatted(iova, byteSize));
      MemorySegment.copy(source, offset, memory, iova, byteSize);
      return answer;
    }
  }

  private int map(long iova, long byteSize) {
    return memory.map(file.descriptor(), 0, iova, byteSize, true, true);
  }

  private byte[] read(long iova, int length) throws DmaFaultException {
    var bytes = new byte[length];
    memory.read(iova, MemorySegment.ofArray(bytes));
    return bytes;
  }

  private void write(long iova, int... bytes) throws DmaFaultException {
    var source = MemorySegment.ofArray(new byte[bytes.length]);
    for (int i = 0; i < bytes.length; i++) {
      source.set(ValueLayout.JAVA_BYTE, i, (byte) bytes[i]);
    }
    memory.write(iova, source);
  }

  private void assertFault(
      long iova, org.assertj.core.api.ThrowableAssert.ThrowingCallable access) {
    assertThatExceptionOfType(DmaFaultException.class)
        .isThrownBy(access)
        .satisfies(fault -> assertThat(fault.iova()).isEqualTo(iova));
  }

  @Test
  void mappedMemoryIsTheClientsOwn() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), PAGE, 0x10000, 2 * PAGE, true, true)).isZero();
    file.write(PAGE + 5, (byte) 1, (byte) 2, (byte) 3);
    assertThat(read(0x10005, 3)).containsExactly(1, 2, 3);
    write(0x10006, 9);
    assertThat(file.bytes(PAGE + 5, 3)).containsExactly(1, 9, 3);
    assertThat(memory.unmap(0x10000, 2 * PAGE)).isZero();
    assertFault(0x10005, () -> read(0x10005, 3));
  }

  @Test
  void anAccessMaySpanMapsThatTouch() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), 0, 2 * PAGE, PAGE, true, true)).isZero();
    assertThat(memory.map(-1, 0, PAGE, PAGE, true, true)).isZero();
    assertThat(memory.map(file.descriptor(), 4 * PAGE, 0, PAGE, true, true)).isZero();
    write(PAGE - 1, 1, 2);
    assertThat(file.bytes(5 * PAGE - 1, 1)).containsExactly(1);
    assertThat(messages.memory.get(ValueLayout.JAVA_BYTE, PAGE)).isEqualTo((byte) 2);
    var all = read(PAGE - 2, (int) PAGE + 4);
    assertThat(all).startsWith(0, 1, 2, 0);
    assertThat(messages.calls).containsExactly("write 1000 1", "read 1000 4096");
    assertFault(3 * PAGE, () -> read(PAGE - 2, 3 * (int) PAGE));
  }

  @Test
  void aMapMustNotOverlapAnother() {
    assertThat(map(0x10000, 2 * PAGE)).isZero();
    int overlap = Errno.EEXIST.result();
    assertThat(map(0x10000, 2 * PAGE)).isEqualTo(overlap);
    assertThat(map(0x10000 - PAGE, 2 * PAGE)).isEqualTo(overlap);
    assertThat(map(0x10000 + PAGE, 2 * PAGE)).isEqualTo(overlap);
    assertThat(map(0x10000 - PAGE, 8 * PAGE)).isEqualTo(overlap);
    assertThat(memory.map(-1, 0, 0, Long.MAX_VALUE & -PAGE, true, true)).isEqualTo(overlap);
    assertThat(map(0x10000 - PAGE, PAGE)).isZero();
    assertThat(map(0x10000 + 2 * PAGE, PAGE)).isZero();
    assertThat(memory.count()).isEqualTo(3);
  }

  @Test
  void whatCannotBeMeantIsRefused() {
    int invalid = Errno.EINVAL.result();
    assertThat(map(0, 0)).isEqualTo(invalid);
    assertThat(map(0, -PAGE)).isEqualTo(invalid);
    assertThat(map(0, Long.MIN_VALUE)).isEqualTo(invalid);
    assertThat(map(0, PAGE + 1)).isEqualTo(invalid);
    assertThat(map(8, PAGE)).isEqualTo(invalid);
    assertThat(map(-PAGE, 2 * PAGE)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), 8, 0, PAGE, true, true)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), -PAGE, 0, PAGE, true, true)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), Long.MAX_VALUE & -PAGE, 0, PAGE, true, true))
        .isEqualTo(invalid);
    assertThat(memory.map(-1, 0, 0, Long.MIN_VALUE, true, true)).isEqualTo(invalid);
    assertThat(memory.count()).isZero();
  }

  @Test
  void memoryBehindTheEndOfTheFileIsRefused() {
    int invalid = Errno.EINVAL.result();
    assertThat(map(0, FILE_SIZE + PAGE)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), PAGE, 0, FILE_SIZE, true, true)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), FILE_SIZE, 0, PAGE, true, true)).isEqualTo(invalid);
    assertThat(map(0, 1L << 62)).isEqualTo(invalid);
    assertThat(memory.map(file.descriptor(), PAGE, 0, FILE_SIZE - PAGE, true, true)).isZero();
  }

  @Test
  void theLastAddressCanBeMapped() throws DmaFaultException {
    assertThat(map(-2 * PAGE, 2 * PAGE)).isZero();
    assertThat(map(0, PAGE)).isZero();
    write(-2, 7, 8);
    assertThat(file.bytes(2 * PAGE - 2, 2)).containsExactly(7, 8);
    assertFault(0, () -> read(-2, 4));
    assertThat(memory.unmap(-2 * PAGE, 2 * PAGE)).isZero();
  }

  @Test
  void thereAreNoMoreMapsThanAgreed() {
    for (int i = 0; i < MAX_MAPS; i++) {
      assertThat(map(i * PAGE, PAGE)).isZero();
    }
    assertThat(map(MAX_MAPS * PAGE, PAGE)).isEqualTo(Errno.ENOSPC.result());
    assertThat(memory.unmap(7 * PAGE, PAGE)).isZero();
    assertThat(map(MAX_MAPS * PAGE, PAGE)).isZero();
  }

  /** What QEMU sends when a guest behind an IOMMU of its own changes the tables of a device. */
  @Test
  void aRangeGivesBackAllThatIsMappedInIt() {
    assertThat(map(0x10000, 2 * PAGE)).isZero();
    assertThat(map(0x20000, PAGE)).isZero();
    assertThat(map(0x8000_0000L, PAGE)).isZero();
    assertThat(map(-PAGE, PAGE)).isZero();
    assertThat(memory.unmap(0, 0x8000_0000L)).isZero();
    assertThat(memory.count()).isEqualTo(2);
    assertThat(SharedFile.mappings()).isEqualTo(2);
    assertThatExceptionOfType(DmaFaultException.class)
        .isThrownBy(() -> memory.read(0x10000, MemorySegment.ofArray(new byte[1])));
    assertThat(map(0, 16 * PAGE)).isZero();
    assertThat(memory.unmap(0x4000_0000L, -0x4000_0000L)).isZero();
    assertThat(memory.count()).isEqualTo(1);
    assertThat(memory.unmap(0, -1)).isZero();
    assertThat(memory.count()).isZero();
  }

  @Test
  void onlyWholeMapsAreUnmapped() {
    int none = Errno.ENOENT.result();
    assertThat(map(0x10000, 2 * PAGE)).isZero();
    assertThat(map(0x20000, PAGE)).isZero();
    assertThat(memory.unmap(0x10000, PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x10000 + PAGE, PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x10000, 0)).isEqualTo(none);
    assertThat(memory.unmap(0, 2 * PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x30000, PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0, 0x10000 + PAGE)).isEqualTo(none);
    assertThat(memory.unmap(0x10000 + PAGE, 0x10000)).isEqualTo(none);
    assertThat(memory.unmap(-PAGE, 2 * PAGE)).isEqualTo(none);
    assertThat(memory.count()).isEqualTo(2);
    assertThat(memory.unmap(0x10000, 2 * PAGE)).isZero();
    assertThat(memory.unmap(0x10000, 2 * PAGE)).isEqualTo(none);
    assertThat(memory.count()).isEqualTo(1);
    memory.unmapAll();
    assertThat(memory.count()).isZero();
    assertThat(SharedFile.mappings()).isZero();
  }

  @Test
  void descriptorsOfWhatIsNoMemoryAreRefusedAndClosed() throws ErrnoException {
    assertThat(memory.map(KERNEL.eventFd(0, 0), 0, 0, PAGE, true, true))
        .isEqualTo(Errno.ENODEV.result());
    var pair = UnixSocket.pair(KERNEL);
    int socket = KERNEL.open("/proc/self/fd/" + pair.first().fd(), Kernel.O_RDWR);
    assertThat(socket).isNegative(); // a socket cannot be opened again: so its own is given away
    assertThat(memory.map(pair.first().fd(), 0, 0, PAGE, true, true))
        .isEqualTo(Errno.ENODEV.result());
    pair.second().close();
    assertThat(memory.map(KERNEL.open("/tmp", Kernel.O_RDONLY), 0, 0, PAGE, true, true))
        .isNegative();
    assertThat(memory.map(KERNEL.epollCreate(), 0, 0, PAGE, true, true)).isNegative();
    assertThat(memory.map(1 << 20, 0, 0, PAGE, true, true)).isEqualTo(Errno.EBADF.result());
    assertThat(memory.count()).isZero();
  }

  @Test
  void aReadOnlyFileIsMappedForReading() throws DmaFaultException {
    file.write(3, (byte) 4);
    assertThat(memory.map(file.descriptor(Kernel.O_RDONLY), 0, 0, PAGE, true, true))
        .isEqualTo(Errno.EACCES.result());
    assertThat(memory.map(file.descriptor(Kernel.O_RDONLY), 0, 0, PAGE, true, false)).isZero();
    assertThat(read(3, 1)).containsExactly(4);
    assertFault(3, () -> write(3, 5));
  }

  @Test
  void theClientSaysInWhichDirectionsItsMemoryIsUsed() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), 0, 0, PAGE, false, true)).isZero();
    assertThat(memory.map(-1, 0, PAGE, PAGE, true, false)).isZero();
    write(0, 1);
    assertFault(0, () -> read(0, 1));
    assertThat(read(PAGE, 1)).containsExactly(0);
    assertFault(PAGE, () -> write(PAGE, 1));
  }

  @Test
  void hugePagesAreMappedWhole() throws DmaFaultException {
    int huge = KERNEL.memoryFile("client", Kernel.MFD_HUGETLB, 4 << 20);
    assumeThat(huge).isNotNegative();
    int again = KERNEL.open("/proc/self/fd/" + huge, Kernel.O_RDWR);
    int result = memory.map(again, 2 << 20, 0, PAGE, true, true);
    KERNEL.close(huge);
    assumeThat(result).as("this machine has no huge pages").isZero();
    write(1, 1);
    assertThat(read(1, 1)).containsExactly(1);
    assertThat(memory.unmap(0, PAGE)).isZero();
  }

  @Test
  void aDeviceThatIsNoBusMasterReachesNothing() {
    assertThat(map(0, PAGE)).isZero();
    busMaster = false;
    assertFault(4, () -> read(4, 1));
    assertFault(4, () -> write(4, 1));
  }

  @Test
  void whatTheClientRefusesIsAFault() {
    assertThat(memory.map(-1, 0, 0, PAGE, true, true)).isZero();
    messages.answer = Errno.EPERM.result();
    assertFault(4, () -> read(4, 1));
    assertThatThrownBy(() -> write(4, 1)).hasMessageContaining("the client answers EPERM");
  }

  @Test
  void aFaultEndsOnlyTheAccessThatHadIt() throws DmaFaultException {
    assertThat(map(0, FILE_SIZE)).isZero();
    file.resize(PAGE);
    assertFault(2 * PAGE, () -> read(2 * PAGE, 8));
    assertFault(2 * PAGE, () -> write(2 * PAGE, 1, 2, 3));
    assertThat(read(8, 8)).hasSize(8);
    file.resize(FILE_SIZE);
    write(2 * PAGE, 1, 2, 3);
    assertThat(file.bytes(2 * PAGE, 3)).containsExactly(1, 2, 3);
  }

  @Test
  void nothingIsAllocatedForAnAccess() throws DmaFaultException {
    assertThat(map(0, FILE_SIZE / 2)).isZero();
    assertThat(
            memory.map(file.descriptor(), FILE_SIZE / 2, FILE_SIZE / 2, FILE_SIZE / 2, true, true))
        .isZero();
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (var arena = Arena.ofConfined()) {
      var buffer = arena.allocate(8192);
      accessOften(buffer, 20_000);
      // The compiler may still change its mind, and what it interprets meanwhile allocates.
      long least = Long.MAX_VALUE;
      for (long start = System.nanoTime(); least > 0 && System.nanoTime() - start < LIMIT_NANOS; ) {
        long before = threads.getCurrentThreadAllocatedBytes();
        accessOften(buffer, 1000);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      }
      assertThat(least).isZero();
    }
  }

  private void accessOften(MemorySegment buffer, int times) throws DmaFaultException {
    for (int i = 0; i < times; i++) {
      memory.read(i % FILE_SIZE & -16, buffer, 16, 16);
      memory.write(FILE_SIZE / 2 - 64, buffer, 0, 128);
      memory.read(PAGE, buffer, 0, 8192);
      var lease = memory.lease(PAGE, PAGE, true);
      if (lease != null) {
        lease.end(PAGE, PAGE, true);
      }
    }
  }

  /** What a kernel that is given a lease's address answers to a read of a file into it. */
  private long fill(DmaLease lease, long iova, long fileOffset, long byteSize) {
    var target = NativeMemory.at(lease.address(iova), byteSize, Arena.global());
    return KERNEL.pread(file.number(), target, fileOffset);
  }

  private DmaLease lease(long iova, long byteSize) throws DmaFaultException {
    var lease = memory.lease(iova, byteSize, true);
    assertThat(lease).isNotNull();
    return Objects.requireNonNull(lease);
  }

  /** Whether an address is kept for nobody. */
  private static boolean isKept(long address) {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines
          .map(line -> line.replaceFirst("-", " ").split(" ", 4))
          .anyMatch(
              parts ->
                  Long.parseUnsignedLong(parts[0], 16) <= address
                      && address < Long.parseUnsignedLong(parts[1], 16)
                      && parts[2].equals("---p"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aLeaseTellsWhereTheClientsMemoryIs() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), PAGE, 0x10000, 2 * PAGE, true, true)).isZero();
    file.write(0, (byte) 1, (byte) 2, (byte) 3);
    var lease = lease(0x10800, PAGE);
    assertThat(fill(lease, 0x10803, 0, 3)).isEqualTo(3);
    assertThat(file.bytes(PAGE + 0x803, 3)).containsExactly(1, 2, 3);
    lease.end(0x10800, PAGE, true);
    assertThat(memory.isLeased(0, -1)).isFalse();
  }

  @Test
  void whatIsNotOnePieceOfAFileIsNotLeased() throws DmaFaultException {
    assertThat(map(0x10000, PAGE)).isZero();
    assertThat(map(0x10000 + PAGE, PAGE)).isZero();
    assertThat(memory.map(-1, 0, 0x20000, PAGE, true, true)).isZero();
    assertThat(memory.lease(0x10000 + PAGE - 1, 2, true)).isNull();
    assertThat(memory.lease(0x10000, Long.MAX_VALUE, true)).isNull();
    assertThat(memory.lease(0x20000, 1, false)).isNull();
    assertThat(memory.isLeased(0, -1)).isFalse();
    assertThatIllegalArgumentException().isThrownBy(() -> memory.lease(0x10000, 0, true));
    assertThatIllegalArgumentException().isThrownBy(() -> memory.lease(0x10000, -1, true));
  }

  @Test
  void aLeaseFaultsAsAnAccessDoes() throws DmaFaultException {
    assertThat(memory.map(file.descriptor(), 0, 0, PAGE, false, true)).isZero();
    assertThat(memory.map(file.descriptor(), 0, PAGE, PAGE, true, false)).isZero();
    assertFault(4, () -> memory.lease(4, 1, false));
    assertFault(PAGE, () -> memory.lease(PAGE, 1, true));
    assertFault(2 * PAGE, () -> memory.lease(2 * PAGE, 1, true));
    lease(4, 1).end(4, 1, false);
    busMaster = false;
    assertFault(4, () -> memory.lease(4, 1, true));
    assertThat(memory.isLeased(0, -1)).isFalse();
  }

  @Test
  void onlyWhatIsLeasedIsSaidToBe() throws DmaFaultException {
    assertThat(map(0x10000, PAGE)).isZero();
    assertThat(map(0x10000 + PAGE, PAGE)).isZero();
    var first = lease(0x10000, 8);
    var again = lease(0x10100, 8);
    assertThat(again).as("one object for all leases of a map").isSameAs(first);
    assertThat(memory.isLeased(0, 0x10000)).isFalse();
    assertThat(memory.isLeased(0, 0x10001)).isTrue();
    assertThat(memory.isLeased(0x10000 + PAGE, PAGE)).isFalse();
    first.end(0x10000, 8, false);
    assertThat(memory.isLeased(0x10000, PAGE)).isTrue();
    again.end(0x10100, 8, false);
    assertThat(memory.isLeased(0x10000, PAGE)).isFalse();
  }

  @Test
  void memoryThatIsTakenAwayWhileItIsLeasedAnswersEfaultAndIsNobodyElses()
      throws DmaFaultException {
    var content = file.bytes(0, FILE_SIZE);
    assertThat(map(0, FILE_SIZE)).isZero();
    var lease = lease(PAGE, PAGE);
    lease(2 * PAGE, PAGE);
    long address = lease.address(PAGE);
    assertThat(memory.unmap(0, FILE_SIZE)).isZero();
    assertThat(SharedFile.mappings()).as("the client has its memory for itself").isZero();
    assertThat(isKept(address)).isTrue();
    assertThat(fill(lease, PAGE, 0, PAGE)).isEqualTo(Errno.EFAULT.result());
    assertThat(KERNEL.pwrite(file.number(), NativeMemory.at(address, 8, Arena.global()), 0))
        .isEqualTo(Errno.EFAULT.result());
    assertThat(file.bytes(0, FILE_SIZE)).isEqualTo(content);

    // Other memory at the same IO virtual addresses has nothing to do with it.
    assertThat(map(0, FILE_SIZE)).isZero();
    assertThat(fill(lease, PAGE, 0, PAGE)).isEqualTo(Errno.EFAULT.result());
    lease.end(PAGE, PAGE, true);
    assertThat(isKept(address)).as("there is one more").isTrue();
    lease.end(2 * PAGE, PAGE, true);
    assertThat(isKept(address)).isFalse();
    assertThat(memory.isLeased(0, -1)).isFalse();
  }

  @Test
  void hugePagesAreTakenAwayWhole() throws DmaFaultException {
    int huge = KERNEL.memoryFile("client", Kernel.MFD_HUGETLB, 4 << 20);
    assumeThat(huge).isNotNegative();
    int again = KERNEL.open("/proc/self/fd/" + huge, Kernel.O_RDWR);
    int result = memory.map(again, (2 << 20) + PAGE, 0, PAGE, true, true);
    KERNEL.close(huge);
    assumeThat(result).as("this machine has no huge pages").isZero();
    var lease = lease(8, 8);
    long address = lease.address(8);
    assertThat(memory.unmap(0, PAGE)).isZero();
    assertThat(SharedFile.mappings()).isZero();
    assertThat(fill(lease, 8, 0, 8)).isEqualTo(Errno.EFAULT.result());
    lease.end(8, 8, false);
    assertThat(isKept(address)).isFalse();
  }

  @Test
  void theLogHasWhatALeaseWrote() throws DmaFaultException {
    assertThat(map(0, FILE_SIZE)).isZero();
    var lease = lease(0, FILE_SIZE);
    assertThat(memory.log().start(PAGE)).isEqualTo(PAGE);
    lease.end(PAGE + 1, PAGE, true);
    lease(3 * PAGE, PAGE).end(3 * PAGE, PAGE, false);
    assertThat(written()).isEqualTo(0b110);
    assertThat(written()).isZero();
    // What is leased when somebody wants to know at last may have been written, or will be.
    var last = lease(5 * PAGE, 8);
    memory.markLeased(0, PAGE);
    assertThat(written()).isEqualTo(0xffff);
    last.end(5 * PAGE, 8, false);
    memory.markLeased(0, PAGE);
    assertThat(written()).isZero();
  }

  /** A bit for each page of the file that the log has. */
  private long written() {
    var bitmap = MemorySegment.ofArray(new long[1]);
    assertThat(memory.log().report(0, FILE_SIZE, PAGE, bitmap, 0)).isZero();
    return bitmap.get(ValueLayout.JAVA_LONG, 0);
  }

  @Test
  void leasesOfSeveralThreadsAreCounted() throws Exception {
    assertThat(map(0, FILE_SIZE)).isZero();
    var held = lease(0, 1);
    try (var threads = Executors.newFixedThreadPool(4)) {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        all.add(
            threads.submit(
                () -> {
                  for (int round = 0; round < 50_000; round++) {
                    lease(PAGE, 8).end(PAGE, 8, true);
                  }
                  return null;
                }));
      }
      for (var each : all) {
        each.get();
      }
    }
    assertThat(memory.isLeased(0, -1)).isTrue();
    held.end(0, 1, false);
    assertThat(memory.isLeased(0, -1)).isFalse();
    memory.unmapAll();
    assertThat(SharedFile.mappings()).isZero();
    assertThat(isKept(held.address(0))).isFalse();
  }

  /** A lease in the naive model: it reaches the file until its map has gone. */
  private record Lent(DmaLease lease, long iova, long size, long place) {}

  @Test
  void leasesBehaveAsANaiveModelDoes() throws DmaFaultException {
    var random = new Random(20_250_602);
    var maps = new TreeMap<Long, Long>();
    List<Lent> lent = new ArrayList<>();
    Set<Lent> revoked = new HashSet<>();
    for (int step = 0; step < 20_000; step++) {
      long iova = random.nextLong(12) * 2 * PAGE;
      switch (random.nextInt(8)) {
        case 0 -> {
          long place = random.nextInt(15) * PAGE;
          int result = memory.map(file.descriptor(), place, iova, 2 * PAGE, true, true);
          assertThat(result).isEqualTo(maps.containsKey(iova) ? Errno.EEXIST.result() : 0);
          maps.putIfAbsent(iova, place);
        }
        case 1 -> {
          assertThat(memory.unmap(iova, 2 * PAGE))
              .isEqualTo(maps.remove(iova) == null ? Errno.ENOENT.result() : 0);
          lent.stream()
              .filter(each -> each.iova() / (2 * PAGE) * (2 * PAGE) == iova)
              .forEach(revoked::add);
        }
        case 2, 3, 4 -> {
          long at = iova + random.nextLong(2 * PAGE);
          long size = 1 + random.nextLong(iova + 2 * PAGE - at);
          if (maps.containsKey(iova)) {
            var lease = lease(at, size);
            lent.add(new Lent(lease, at, size, maps.get(iova) + at - iova));
          } else {
            assertFault(at, () -> memory.lease(at, size, true));
          }
        }
        default -> {
          if (!lent.isEmpty()) {
            giveBack(random, lent.remove(random.nextInt(lent.size())), revoked);
          }
        }
      }
    }
    for (var each : lent) {
      each.lease().end(each.iova(), each.size(), false);
    }
    assertThat(memory.isLeased(0, -1)).isFalse();
  }

  private void giveBack(Random random, Lent lease, Set<Lent> revoked) {
    var bytes = new byte[8];
    random.nextBytes(bytes);
    long from = random.nextInt(FILE_SIZE - 8);
    file.write(from, bytes);
    long size = Math.min(lease.size(), 8);
    long result = fill(lease.lease(), lease.iova(), from, size);
    if (revoked.remove(lease)) {
      assertThat(result).isEqualTo(Errno.EFAULT.result());
    } else {
      assertThat(result).isEqualTo(size);
      assertThat(Arrays.mismatch(file.bytes(lease.place(), (int) size), bytes))
          .isIn(-1, (int) size);
    }
    lease.lease().end(lease.iova(), lease.size(), true);
  }

  /** A map in the naive model. */
  private record Mapped(long size, long fileOffset, boolean readable, boolean writable) {}

  @Test
  void behavesAsANaiveModelDoes() {
    long seed = 20_250_601;
    var random = new Random(seed);
    var content = new byte[FILE_SIZE];
    var maps = new TreeMap<Long, Mapped>();
    long pages = 48;
    for (int step = 0; step < 30_000; step++) {
      long iova = random.nextLong(pages) * PAGE;
      long size = (1 + random.nextLong(4)) * PAGE;
      int what = random.nextInt(10);
      if (what == 0) {
        long fileOffset = random.nextInt(16) * PAGE;
        boolean readable = random.nextInt(8) != 0;
        boolean writable = random.nextInt(8) != 0;
        int expected = expectedOfMap(maps, iova, size, fileOffset);
        assertThat(memory.map(file.descriptor(), fileOffset, iova, size, readable, writable))
            .isEqualTo(expected);
        if (expected == 0) {
          maps.put(iova, new Mapped(size, fileOffset, readable, writable));
        }
      } else if (what == 1) {
        var known = maps.get(iova);
        if (known != null && random.nextBoolean()) {
          size = known.size();
        }
        var inside = whollyWithin(maps, iova, size);
        assertThat(memory.unmap(iova, size))
            .isEqualTo(inside.isEmpty() ? Errno.ENOENT.result() : 0);
        maps.keySet().removeAll(inside);
      } else {
        access(random, maps, content, iova + random.nextInt((int) PAGE), what % 2 == 0);
      }
    }
    assertThat(file.bytes(0, FILE_SIZE)).isEqualTo(content);
  }

  /** The maps of a range; none where one is in it only in part. */
  private static List<Long> whollyWithin(NavigableMap<Long, Mapped> maps, long iova, long size) {
    List<Long> found = new ArrayList<>();
    for (var each : maps.entrySet()) {
      long start = each.getKey();
      long end = start + each.getValue().size();
      if (start < iova + size && iova < end) {
        if (start < iova || end > iova + size) {
          return List.of();
        }
        found.add(start);
      }
    }
    return found;
  }

  private static int expectedOfMap(
      NavigableMap<Long, Mapped> maps, long iova, long size, long fileOffset) {
    for (var each : maps.entrySet()) {
      if (iova < each.getKey() + each.getValue().size() && each.getKey() < iova + size) {
        return Errno.EEXIST.result();
      }
    }
    return fileOffset + size > FILE_SIZE ? Errno.EINVAL.result() : 0;
  }

  private void access(
      Random random, NavigableMap<Long, Mapped> maps, byte[] content, long iova, boolean write) {
    var bytes = new byte[random.nextInt(3) == 0 ? random.nextInt(9000) : random.nextInt(64)];
    random.nextBytes(bytes);
    var expected = bytes.clone();
    long faultAt = -1;
    for (int i = 0; i < bytes.length && faultAt < 0; i++) {
      long at = iova + i;
      var map = maps.floorEntry(at);
      boolean there = map != null && at < map.getKey() + map.getValue().size();
      if (!there || !(write ? map.getValue().writable() : map.getValue().readable())) {
        faultAt = at;
      } else {
        int place = (int) (map.getValue().fileOffset() + at - map.getKey());
        if (write) {
          content[place] = bytes[i];
        } else {
          expected[i] = content[place];
        }
      }
    }
    long found = -1;
    try {
      if (write) {
        memory.write(iova, MemorySegment.ofArray(bytes));
      } else {
        memory.read(iova, MemorySegment.ofArray(bytes));
      }
    } catch (DmaFaultException e) {
      found = e.iova();
    }
    assertThat(found).isEqualTo(faultAt);
    int checked = faultAt < 0 ? bytes.length : (int) (faultAt - iova);
    assertThat(Arrays.copyOf(bytes, checked)).isEqualTo(Arrays.copyOf(expected, checked));
  }

  /** An error of the JVM, say: what was mapped by then has no owner. */
  @Test
  void nothingStaysMappedOfAMapThatCouldNotBeKept() throws Exception {
    var full =
        new ForwardingKernel(KERNEL) {
          @Override
          public MemorySegment memory(long address, long byteSize, Arena lifetime) {
            throw new OutOfMemoryError("no room for a segment");
          }
        };
    try (var cramped = new ClientMemory(full, () -> true, messages, MAX_MAPS)) {
      assertThatExceptionOfType(OutOfMemoryError.class)
          .isThrownBy(() -> cramped.map(file.descriptor(), 0, 0, PAGE, true, true));
      assertThat(SharedFile.mappings()).isZero();
      assertThat(cramped.count()).isZero();
    }
  }

  /** A JVM that gets no more mappings ends: clients are left half of what the kernel allows. */
  @Test
  void clientsTogetherHaveHalfOfTheMappingsOfThisProcess() {
    var few =
        new ForwardingKernel(KERNEL) {
          @Override
          public String readText(String path) throws ErrnoException {
            return path.equals("/proc/sys/vm/max_map_count") ? "7" : super.readText(path);
          }
        };
    try (var first = new ClientMemory(few, () -> true, messages, MAX_MAPS);
        var second = new ClientMemory(few, () -> true, messages, MAX_MAPS)) {
      assertThat(first.map(file.descriptor(), 0, 0, PAGE, true, true)).isZero();
      assertThat(first.map(file.descriptor(), 0, PAGE, PAGE, true, true)).isZero();
      assertThat(second.map(file.descriptor(), 0, 0, PAGE, true, true)).isZero();
      for (int i = 0; i < 3; i++) {
        assertThat(second.map(file.descriptor(), 0, PAGE, PAGE, true, true))
            .isEqualTo(Errno.ENOSPC.result());
      }
      assertThat(second.map(-1, 0, PAGE, PAGE, true, true)).as("by messages").isZero();
      assertThat(first.unmap(0, PAGE)).isZero();
      assertThat(second.map(file.descriptor(), 0, 2 * PAGE, PAGE, true, true)).isZero();
    }
  }
}
