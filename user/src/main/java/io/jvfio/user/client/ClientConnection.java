// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND;
import static io.jvfio.linux.uapi.PciRegs.PCI_COMMAND_MASTER;

import io.jvfio.DmaAccess;
import io.jvfio.jfr.Jfr;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.spi.DeviceConnection;
import io.jvfio.spi.Explanation;
import io.jvfio.user.VfioUserOptions;
import io.jvfio.user.wire.WriteMulti;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A device behind a socket: what its file would answer, asked of the server.
 *
 * <p>There is one {@link Link} at a time. When it fails, and reconnecting was asked for, the thread
 * that watched it makes another, finds out whether the device is the same, and tells the server all
 * that it was told before: memory, interrupts, COMMAND. That is done under {@link #lock}, as every
 * change of it, so that nothing is told twice or not at all. Whoever calls meanwhile waits.
 *
 * <p>What becomes of a call that was under way is the rule of {@code docs/vfio-user.md}: a question
 * is asked again; what is told again anyway was done; the rest answers ECONNRESET, unless not all
 * of it had been sent.
 */
public final class ClientConnection implements DeviceConnection {
  private static final System.Logger LOG = System.getLogger("io.jvfio");
  private static final ValueLayout.OfShort LE16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
  private static final int NOT_WRITTEN = -1;

  /** What other clients send at most in one message of many writes. */
  private static final int MOST_WRITES = 200;

  private static final long SHORTEST_PAUSE = 10_000_000;
  private static final long LONGEST_PAUSE = 1_000_000_000;
  private static final long LONGEST_CONNECT = 10_000_000_000L;

  private final String name;
  private final Connector connector;
  private final VfioUserOptions options;
  private final Kernel machine;
  private final ClientKernel kernel;
  private final DmaMaps maps;
  private final RegionMappings mappings;
  private final int fd;

  /** Guards what a server is told again: maps, interrupts, COMMAND. */
  private final ReentrantLock lock = new ReentrantLock();

  private final KeptInterrupts interrupts;
  private final Description first;

  /** The value of COMMAND that was written last. */
  private int command = NOT_WRITTEN;

  private volatile Fresh now;
  private volatile boolean closing;

  /** A link on which the server is being told; so that closing can end it, too. */
  private volatile @Nullable Link candidate;

  /** Guards {@link #over} and waits for {@link #now}. */
  private final Object gate = new Object();

  /** Why there will be no link any more; null while there may be. */
  private volatile @Nullable LinkFailure over;

  private volatile long reconnects;
  private final Thread watcher;

  /** Makes a connected socket. */
  public @FunctionalInterface interface Connector {
    /**
     * Connects.
     *
     * @param limitNanos how long to wait for the server to accept
     */
    UnixSocket connect(long limitNanos) throws LinkException;
  }

  /** A link that is ready for use, and what its server has said. */
  public record Fresh(Link link, Peer peer, Description description) {
    void close() {
      link.close();
      description.close();
    }
  }

  /**
   * Connects, negotiates, and leaves the device as the kernel leaves one that was just opened.
   *
   * @param machine makes the system calls
   */
  public static ClientConnection open(
      Kernel machine, String name, Connector connector, VfioUserOptions options)
      throws LinkException {
    return new ClientConnection(machine, name, connector, options);
  }

  private ClientConnection(
      Kernel machine, String name, Connector connector, VfioUserOptions options)
      throws LinkException {
    this.machine = machine;
    kernel = new ClientKernel(machine, this);
    maps = new DmaMaps(machine);
    mappings = new RegionMappings(machine);
    this.name = name;
    this.connector = connector;
    this.options = options;
    var begun = begin(options.requestTimeout().toNanos(), null);
    // A number that is no other file's stands for the device, whatever the socket's is.
    fd = machine.eventFd(0, 0);
    try {
      if (fd < 0) {
        throw LinkException.noEventFd(Errno.ofResult(fd));
      }
      stopBusMaster(begun.link());
    } catch (LinkException | RuntimeException e) {
      begun.close();
      if (fd >= 0) {
        machine.close(fd);
      }
      throw e;
    }
    first = begun.description();
    interrupts = new KeptInterrupts(first.irqs());
    now = begun;
    watcher = new Thread(this::watch, "jvfio " + name);
    watcher.setDaemon(true);
    watcher.start();
  }

  /**
   * Makes a link, and a device of it that was reset.
   *
   * @param expected what the device has to be like; null for any
   */
  private Fresh begin(long limitNanos, @Nullable Description expected) throws LinkException {
    var socket = connector.connect(limitNanos);
    Link link;
    try {
      link = Handshake.link(socket, maps, options);
    } catch (LinkException e) {
      socket.close();
      throw e;
    }
    candidate = link;
    if (closing) {
      link.fail(LinkFailure.closed());
    }
    try {
      var peer = Handshake.negotiate(link, name, options);
      var description = Description.ask(link);
      try {
        if (expected != null) {
          requireSame(description, expected);
        }
        int result = description.canReset() ? Calls.reset(link) : 0;
        if (result != 0) {
          throw failure(link, "VFIO_USER_DEVICE_RESET", result);
        }
        if (Decoding.enable(link, description) != 0) {
          throw LinkException.of(link);
        }
        return new Fresh(link, peer, description);
      } catch (LinkException e) {
        description.close();
        throw e;
      }
    } catch (LinkException | RuntimeException e) {
      link.close();
      throw e;
    }
  }

  private static void requireSame(Description present, Description expected) throws LinkException {
    var difference = present.difference(expected);
    if (difference.isPresent()) {
      throw LinkException.unusable(
          "Another device answers: %s, so the one that was opened is gone."
              .formatted(difference.get()));
    }
  }

  private static LinkException failure(Link link, String call, int result) {
    return Calls.isLost(result)
        ? LinkException.of(link)
        : LinkException.refused(call, Errno.ofResult(result));
  }

  private void stopBusMaster(Link link) throws LinkException {
    try (var arena = Arena.ofConfined()) {
      var value = arena.allocate(LE16);
      int result = Calls.readRegion(link, CONFIG, PCI_COMMAND, value, 0, Short.BYTES);
      if (result == Short.BYTES && (value.get(LE16, 0) & PCI_COMMAND_MASTER) != 0) {
        value.set(LE16, 0, (short) (value.get(LE16, 0) & ~PCI_COMMAND_MASTER));
        result = Calls.writeRegion(link, CONFIG, PCI_COMMAND, value, 0, Short.BYTES, false);
      }
      if (result < 0) {
        throw failure(link, "VFIO_USER_REGION_READ", result);
      }
    }
  }

  // The watching thread.

  private void watch() {
    var current = now;
    while (true) {
      var why = current.link().watch();
      current.link().close();
      var next = reconnect(why);
      current.description().close();
      if (next == null) {
        return;
      }
      current = next;
    }
  }

  /**
   * Makes another link and tells the server everything, until the time is over.
   *
   * @return null if there will be no link any more
   */
  private @Nullable Fresh reconnect(LinkFailure why) {
    var limit = options.reconnect();
    if (limit.isEmpty() || why.isFinal() || closing) {
      end(why);
      return null;
    }
    LOG.log(Level.WARNING, "{0}: {1}", name, why.meaning() + " Trying for a new connection.");
    var event = Jfr.isInUse() ? ReconnectEvent.started() : null;
    long begin = System.nanoTime();
    long nanos = limit.get().toNanos();
    long pause = SHORTEST_PAUSE;
    for (int attempts = 1; ; attempts++) {
      try {
        long left = nanos - (System.nanoTime() - begin);
        var next = begin(Math.clamp(left, SHORTEST_PAUSE, LONGEST_CONNECT), first);
        resume(next);
        LOG.log(Level.WARNING, "{0}: connected again; the device is as after a reset.", name);
        if (event != null) {
          event.ended(name, why, attempts, null);
        }
        return next;
      } catch (LinkException e) {
        if (closing || e.isFinal() || System.nanoTime() - begin > nanos) {
          var end = closing ? LinkFailure.closed() : e.failure().after(why);
          end(end);
          if (event != null) {
            event.ended(name, why, attempts, end);
          }
          return null;
        }
      }
      LockSupport.parkNanos(this, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }

  private void end(LinkFailure why) {
    synchronized (gate) {
      over = why;
      gate.notifyAll();
    }
  }

  /** Tells the server of a new link all that the one before was told, and lets calls go on. */
  private void resume(Fresh next) throws LinkException {
    lock.lock();
    try {
      tellMaps(next);
      require(next, "VFIO_USER_DEVICE_SET_IRQS", interrupts.tell(next.link(), next.peer()));
      require(next, "VFIO_USER_REGION_WRITE", restoreConfig(next.link()));
      mappings.replace(next.description());
      synchronized (gate) {
        now = next;
        reconnects++;
        gate.notifyAll();
      }
      signalError();
    } catch (LinkException e) {
      next.close();
      throw e;
    } finally {
      lock.unlock();
    }
  }

  private static void require(Fresh next, String call, int result) throws LinkException {
    if (result < 0) {
      throw failure(next.link(), call, result);
    }
  }

  private void tellMaps(Fresh next) throws LinkException {
    var entries = maps.all();
    if (entries.size() > next.peer().capabilities().maxDmaMaps()) {
      throw LinkException.unusable(
          "The server that answers now keeps %,d maps (max_dma_maps), and the device has %,d."
              .formatted(next.peer().capabilities().maxDmaMaps(), entries.size()));
    }
    for (var entry : entries) {
      require(next, "VFIO_USER_DMA_MAP", Calls.map(next.link(), next.peer(), entry));
    }
  }

  /**
   * Configuration space as it was before a reset, which the kernel sees to for a device of its own:
   * the kind of interrupts that is in use, and COMMAND.
   *
   * @return 0, that the link was lost, or a negated errno
   */
  private int restoreConfig(Link link) {
    int result = 0;
    for (int index : MessageInterrupts.INDEXES) {
      var inUse = index < first.irqs().size() ? interrupts.inUse(index) : new int[0];
      if (result == 0 && inUse.length > 0) {
        result = enable(link, index, inUse);
      }
    }
    return result == 0 && command != NOT_WRITTEN ? restoreCommand(link) : result;
  }

  private int restoreCommand(Link link) {
    try (var arena = Arena.ofConfined()) {
      var value = arena.allocate(LE16);
      value.set(LE16, 0, (short) command);
      return Math.min(
          0, Calls.writeRegion(link, CONFIG, PCI_COMMAND, value, 0, Short.BYTES, false));
    }
  }

  /** The device has lost what it was doing: whoever wants to know of its errors is told. */
  private void signalError() {
    int signal = interrupts.errorSignal();
    if (signal >= 0) {
      try (var arena = Arena.ofConfined()) {
        machine.write(signal, arena.allocateFrom(ValueLayout.JAVA_LONG, 1));
      }
    }
  }

  // Calls.

  /** What a link can do without waiting; null if it has failed. */
  private @Nullable Fresh ready() {
    var current = now;
    return current.link().failure() == null ? current : null;
  }

  /** The link, after waiting for a new one if that is under way; null if there will be none. */
  @Nullable Fresh live() {
    var current = ready();
    return current != null ? current : awaitLive();
  }

  private @Nullable Fresh awaitLive() {
    boolean interrupted = false;
    try {
      synchronized (gate) {
        while (true) {
          var current = ready();
          if (current != null) {
            return current;
          }
          if (over != null || closing) {
            return null;
          }
          try {
            gate.wait(TimeUnit.SECONDS.toMillis(1));
          } catch (InterruptedException _) {
            interrupted = true;
          }
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** What calls answer once there will be no link any more. */
  int overResult() {
    var why = over;
    if (why == null) {
      why = now.link().failure();
    }
    return (why == null ? Errno.ENOTCONN : why.errno()).result();
  }

  /** What a call answers that was under way when the link failed. */
  int unknownResult() {
    return options.reconnect().isPresent() && over == null
        ? Errno.ECONNRESET.result()
        : overResult();
  }

  public Description description() {
    return first;
  }

  /** The description with the files of the present connection. */
  Description presentDescription() {
    return now.description();
  }

  RegionMappings mappings() {
    return mappings;
  }

  VfioUserOptions options() {
    return options;
  }

  Peer peer() {
    return now.peer();
  }

  /** Whether the device is closed, or about to be. */
  boolean isClosing() {
    return closing;
  }

  /** How often a lost connection was replaced. */
  long reconnects() {
    return reconnects;
  }

  /** {@code pread}. */
  long read(int region, long offset, MemorySegment target) {
    boolean canRepeat = region == CONFIG;
    long total = target.byteSize();
    long done = 0;
    while (done < total) {
      var current = live();
      if (current == null) {
        return overResult();
      }
      int part = (int) Math.min(total - done, current.peer().transfer());
      int result = Calls.readRegion(current.link(), region, offset + done, target, done, part);
      if (result >= 0) {
        done += result;
        if (result < part) {
          return done;
        }
      } else if (!Calls.isLost(result)) {
        return result;
      } else if (result == Calls.LOST && !canRepeat) {
        return unknownResult();
      }
    }
    return done;
  }

  /** {@code pwrite}. */
  long write(int region, long offset, MemorySegment source) {
    if (region == CONFIG) {
      return writeConfig(offset, source);
    }
    return write(region, offset, source, options.postedWrites());
  }

  private long write(int region, long offset, MemorySegment source, boolean posted) {
    long total = source.byteSize();
    long done = 0;
    while (done < total) {
      var current = live();
      if (current == null) {
        return overResult();
      }
      int part = (int) Math.min(total - done, current.peer().transfer());
      int result =
          Calls.writeRegion(current.link(), region, offset + done, source, done, part, posted);
      if (result >= 0) {
        done += result;
        if (result < part) {
          return done;
        }
      } else if (!Calls.isLost(result)) {
        return result;
      } else if (result == Calls.LOST) {
        return unknownResult();
      }
    }
    return done;
  }

  /** Keeps COMMAND: one value at a time goes to the server and into what is told again. */
  private long writeConfig(long offset, MemorySegment source) {
    if (offset >= PCI_COMMAND + Short.BYTES || offset + source.byteSize() <= PCI_COMMAND) {
      return write(CONFIG, offset, source, false);
    }
    while (true) {
      var current = live();
      if (current == null) {
        return overResult();
      }
      lock.lock();
      try {
        if (current.link().failure() != null) {
          continue; // a new link needs the lock
        }
        int count = (int) source.byteSize();
        int result = Calls.writeRegion(current.link(), CONFIG, offset, source, 0, count, false);
        if (result == Calls.LOST_UNSENT) {
          continue;
        }
        if (result == Calls.LOST) {
          return unknownResult();
        }
        if (result == count) {
          keepCommand(current.link());
        }
        return result;
      } finally {
        lock.unlock();
      }
    }
  }

  /** Reads COMMAND back, of which only some bits can be written. */
  private void keepCommand(Link link) {
    try (var arena = Arena.ofConfined()) {
      var value = arena.allocate(LE16);
      if (Calls.readRegion(link, CONFIG, PCI_COMMAND, value, 0, Short.BYTES) == Short.BYTES) {
        command = Short.toUnsignedInt(value.get(LE16, 0));
      }
    }
  }

  /** {@code VFIO_DEVICE_SET_IRQS}. */
  int setIrqs(IrqCall call) {
    int result;
    lock.lock();
    try {
      result = interrupts.refusal(call);
      if (result != 0) {
        return result;
      }
      var current = ready();
      result =
          current == null
              ? Calls.LOST_UNSENT
              : KeptInterrupts.send(current.link(), current.peer(), call);
      if (result == 0 && current != null) {
        result = setMessageKind(current.link(), call);
      }
      if (result != 0 && !Calls.isLost(result)) {
        return result;
      }
      interrupts.keep(call);
    } finally {
      lock.unlock();
    }
    // A lost server has forgotten what was to be turned off; a new one is told the rest.
    return result == 0 || call.turnsOff() || live() != null ? 0 : overResult();
  }

  private int enable(Link link, int index, int... numbers) {
    int result = MessageInterrupts.enable(link, first, index, true);
    return result == 0 && index == Vfio.VFIO_PCI_MSIX_IRQ_INDEX
        ? MessageInterrupts.unmask(link, first, numbers)
        : result;
  }

  /** The kernel turns MSI and MSI-X on in configuration space, too; so a device may look there. */
  private int setMessageKind(Link link, IrqCall call) {
    if (!MessageInterrupts.INDEXES.contains(call.index()) || !call.isTrigger()) {
      return 0;
    }
    return call.isEventFd() && !call.turnsOff()
        ? enable(link, call.index(), call.given())
        : call.count() == 0 ? MessageInterrupts.enable(link, first, call.index(), false) : 0;
  }

  /** {@code VFIO_DEVICE_RESET}. */
  int reset() {
    var current = live();
    if (current == null) {
      return overResult();
    }
    int result = Calls.reset(current.link());
    if (result == 0) {
      lock.lock();
      try {
        result = Decoding.enable(current.link(), current.description());
        result = result == 0 ? restoreConfig(current.link()) : result;
      } finally {
        lock.unlock();
      }
    }
    // A new connection begins with a reset.
    return !Calls.isLost(result) ? result : live() != null ? 0 : overResult();
  }

  /**
   * Asks, and asks again after a new connection.
   *
   * @param question the call on one link
   */
  public int ask(Question question) {
    while (true) {
      var current = live();
      if (current == null) {
        return overResult();
      }
      int result = question.ask(current);
      if (!Calls.isLost(result)) {
        return result;
      }
    }
  }

  /** A call that changes nothing. */
  public @FunctionalInterface interface Question {
    /** Asks on one link; the result is as those of {@link Calls}. */
    int ask(Fresh on);
  }

  /** Has something done, once at most. */
  int tell(Question change) {
    while (true) {
      var current = live();
      if (current == null) {
        return overResult();
      }
      int result = change.ask(current);
      if (result == Calls.LOST) {
        return unknownResult();
      }
      if (result != Calls.LOST_UNSENT) {
        return result;
      }
    }
  }

  // DeviceConnection.

  @Override
  public String name() {
    return name;
  }

  @Override
  public Kernel kernel() {
    return kernel;
  }

  @Override
  public int fd() {
    return fd;
  }

  @Override
  public boolean isConnected() {
    return ready() != null;
  }

  @Override
  public void beginClose() {
    closing = true;
    synchronized (gate) {
      gate.notifyAll();
    }
    if (ready() == null) {
      // There is none, or one is being made: nobody waits for it any more.
      var making = candidate;
      if (making != null) {
        making.fail(LinkFailure.closed());
      }
      LockSupport.unpark(watcher);
    }
  }

  @Override
  public long mostMappings() {
    return peer().capabilities().maxDmaMaps();
  }

  @Override
  public long pageSize() {
    return Long.lowestOneBit(peer().capabilities().pageSizes());
  }

  @Override
  public int mapDma(int file, MemorySegment memory, long iova, DmaAccess access) {
    var entry = maps.entry(file, memory, iova, access);
    int result;
    lock.lock();
    try {
      // First here, since the server may use it as soon as it knows of it.
      if (!maps.add(entry)) {
        return Errno.EEXIST.result();
      }
      var current = ready();
      result =
          current == null ? Calls.LOST_UNSENT : Calls.map(current.link(), current.peer(), entry);
      if (result != 0 && !Calls.isLost(result)) {
        maps.remove(iova);
        return result;
      }
    } finally {
      lock.unlock();
    }
    if (result == 0 || live() != null) {
      return 0; // a new server was told
    }
    maps.remove(iova);
    return overResult();
  }

  @Override
  public int unmapDma(long iova, long byteSize) {
    lock.lock();
    try {
      var current = ready();
      if (current != null) {
        // What the server has under way ends before it replies, and may need the memory until then.
        int result = Calls.unmap(current.link(), iova, byteSize);
        if (result < 0 && !Calls.isLost(result)) {
          return result;
        }
      }
      maps.remove(iova);
      return 0;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public long writeEach(long offset, MemorySegment source, int width) {
    int region = (int) (offset >>> Description.REGION_SHIFT);
    long start = offset & Description.OFFSET_MASK;
    long total = source.byteSize();
    long done = 0;
    while (done < total) {
      var current = live();
      if (current == null) {
        return overResult();
      }
      boolean together = region != CONFIG && current.peer().capabilities().writeMultiple();
      if (!together) {
        long result = write(region, start + done, source.asSlice(done, width));
        if (result != width) {
          return result < 0 ? result : done + result;
        }
        done += width;
        continue;
      }
      long most = Math.max(1, current.peer().transfer() / WriteMulti.Entry.BYTES);
      int count = (int) Math.min(Math.min(most, MOST_WRITES), (total - done) / width);
      int result =
          Calls.writeMany(
              current.link(),
              region,
              start + done,
              source,
              done,
              width,
              count,
              options.postedWrites());
      if (result >= 0) {
        done += (long) result * width;
        if (result < count) {
          return done;
        }
      } else if (!Calls.isLost(result)) {
        return result;
      } else if (result == Calls.LOST) {
        return unknownResult();
      }
    }
    return done;
  }

  @Override
  public Explanation explain(Errno errno) {
    var why = over;
    if (why == null && ready() == null && options.reconnect().isEmpty()) {
      why = now.link().failure(); // the watching thread has not got as far yet
    }
    return why != null
        ? new Explanation(why.meaning(), why.nextStep())
        : ServerErrors.meaning(errno, options.reconnect().isPresent());
  }

  /** Ends the connection and every call under way, for good. */
  int close() {
    beginClose();
    now.link().fail(LinkFailure.closed());
    var making = candidate;
    if (making != null) {
      making.fail(LinkFailure.closed());
    }
    LockSupport.unpark(watcher);
    boolean interrupted = false;
    while (watcher.isAlive()) {
      try {
        watcher.join();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return machine.close(fd);
  }

  @Override
  public String toString() {
    return "vfio-user connection to " + name;
  }
}
