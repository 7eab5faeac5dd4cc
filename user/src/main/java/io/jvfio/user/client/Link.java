// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import static java.util.Objects.requireNonNull;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.NativeMemory;
import io.jvfio.user.VfioUserOptions;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One connection to a server, from connecting until it fails: the commands of many threads over one
 * socket, their replies, and the server's own commands.
 *
 * <p><i>Who waits, reads.</i> A reply that one thread reads for another costs that other a wake-up,
 * which takes longer than the server does. So there is a right to read, which whoever waits for a
 * reply takes if it is free: it reads the socket itself, hands replies to others on the way, and
 * gives the right up once it has its own. Those who find the right taken park; whoever gives it up
 * wakes one of them. A single thread never meets another.
 *
 * <p><i>While nobody waits</i>, {@link #watch} reads what the server sends of its own accord. It
 * does not sit in a receive, where it would take replies from those who wait, but polls the socket;
 * and it does not even do that while others read every now and then, since each reply would wake it
 * too: it looks again a millisecond later.
 *
 * <p><i>Sending</i> takes a lock, for the time of the system call only: the bytes of two messages
 * must not mix.
 *
 * <p><i>Failure is final.</i> Whatever goes wrong with the socket, in time, or with the protocol
 * ends the link: the first failure is kept, everybody who waits is told, and nothing more is sent
 * or received. What can be begun again is for {@link ClientConnection} to say, on a new link.
 *
 * <p>Nothing is allocated for a message, once memory for as many and as long ones is there.
 */
public final class Link implements AutoCloseable {
  /** How many commands can be under way at once; each has a place of its own. */
  private static final int PLACES = Long.SIZE;

  private static final int PLACE_MASK = PLACES - 1;

  /** The place of who comes too late to get one. */
  private static final int LATE = -1;

  /** How long the watch leaves reading to others who were seen doing so. */
  private static final long WATCH_PAUSE_NANOS = 1_000_000;

  /** A wait looks up as often as this, so that a lost wake-up delays and no more. */
  private static final int SLICE_MILLIS = 250;

  private static final int SPINS_PER_CLOCK = 16;
  private static final int MESSAGES_PER_CLOCK = 1024;

  /** How many messages are read for nobody before somebody else is left to do it. */
  private static final int MOST_LEFT_OVER = 64;

  private static final int SPINS_FOR_LOCK = 100;

  private final MessageSocket socket;
  private final Kernel kernel;
  private final DmaMaps memory;
  private final long limitNanos;
  private final long spinNanos;
  private final Arena arena = Arena.ofShared();

  /** All places are taken back, and what they have is about to be. */
  private volatile boolean isOver;

  private final Request[] requests = new Request[PLACES];

  /** A bit for each place that is free. */
  private final AtomicLong free = new AtomicLong(-1);

  private final ReentrantLock sending = new ReentrantLock();

  /** Who has the right to read. */
  private final AtomicReference<@Nullable Thread> reader = new AtomicReference<>();

  /** How many wait for a reply without the right to read. */
  private final AtomicInteger parked = new AtomicInteger();

  private final AtomicReference<@Nullable LinkFailure> failure = new AtomicReference<>();

  /** Counts messages; written with the right to read, and looked at by the watch. */
  private final AtomicLong received = new AtomicLong();

  /** Whether messages are here that nobody has dealt with. */
  private volatile boolean hasLeftOver;

  /** For replies to the server's commands over {@link #socket}; used with the right to read. */
  private final MemorySegment answer;

  private final int longestAnswer;

  /** The longest data that the server takes; known once the version is negotiated. */
  private volatile long peerTransfer = 1 << 20;

  private volatile @Nullable Thread watcher;
  private volatile @Nullable MessageSocket twin;
  private @Nullable Thread twinReader;

  /**
   * Takes over a connected socket.
   *
   * @param memory what the server may reach by messages
   * @param options limits and times
   */
  Link(MessageSocket socket, DmaMaps memory, VfioUserOptions options) {
    this.socket = socket;
    this.kernel = socket.kernel();
    this.memory = memory;
    this.limitNanos = options.requestTimeout().toNanos();
    this.spinNanos = options.busyPolling().toNanos();
    this.longestAnswer = DmaAccessMessage.BYTES + options.maxDataTransfer();
    this.answer = NativeMemory.allocate(longestAnswer, Long.BYTES, arena);
    for (int i = 0; i < PLACES; i++) {
      requests[i] = new Request(kernel, i, arena);
    }
  }

  /** The kernel that makes the system calls of the socket. */
  Kernel kernel() {
    return kernel;
  }

  /** Why it does not work any more; null while it does. */
  @Nullable LinkFailure failure() {
    return failure.get();
  }

  /** Begins a command; {@link #end} follows in any case. */
  public Request begin(Command command) {
    while (true) {
      long bits = free.get();
      if (bits == 0 && isOver) {
        return late(command);
      } else if (bits == 0) {
        LockSupport.parkNanos(this, 20_000); // as many threads as places: none ends sooner
      } else {
        long bit = Long.lowestOneBit(bits);
        if (free.compareAndSet(bits, bits ^ bit)) {
          var request = requests[Long.numberOfTrailingZeros(bit)];
          request.start(command, PLACES);
          return request;
        }
      }
    }
  }

  /**
   * A command of who comes when all is given back: it has memory of its own, and is told that the
   * link has failed.
   */
  private Request late(Command command) {
    var request = new Request(kernel, LATE, Arena.ofAuto());
    request.start(command, PLACES);
    return request;
  }

  /** The reply is not needed any more. */
  public void end(Request request) {
    request.closeDescriptors();
    if (request.index == LATE) {
      return;
    }
    request.state.setRelease(Request.IDLE);
    if (request.reads) {
      request.reads = false;
      stopReading();
    }
    free.addAndGet(1L << request.index);
  }

  /** Sends a command of {@code size} bytes without descriptors and waits for the reply. */
  int exchange(Request request, long size) {
    return exchange(request, size, 0);
  }

  /**
   * Sends a command and waits for its reply.
   *
   * @param size of the command in bytes, with its header, which is written here
   * @param descriptors how many of {@link Request#sent} go with it
   * @return 0 when there is a reply, be it an error; otherwise the negated errno of the link's
   *     failure, and {@link Request#wasSent} tells whether the server may have had the command
   */
  int exchange(Request request, long size, int descriptors) {
    request.waiter = Thread.currentThread();
    Header.write(request.message(), request.id, request.command, size, Header.COMMAND, 0);
    request.state.set(Request.WAITING);
    int result = send(request.message(), (int) size, request.sent, descriptors);
    if (result == 0) {
      request.wasSent = true;
      result = await(request);
    }
    return result;
  }

  /**
   * Sends a command that the server does not reply to.
   *
   * @return 0, or the negated errno of the link's failure; nothing was carried out then
   */
  int post(Request request, long size) {
    Header.write(
        request.message(), request.id, request.command, size, Header.COMMAND | Header.NO_REPLY, 0);
    return send(request.message(), (int) size, request.sent, 0);
  }

  private int send(MemorySegment message, int size, int[] descriptors, int count) {
    lockSending();
    try {
      var over = failure.get();
      if (over != null) {
        return over.errno().result();
      }
      int result = socket.send(message, size, descriptors, count);
      return result == 0 ? 0 : failed(result);
    } finally {
      sending.unlock();
    }
  }

  /** The lock is held for a microsecond mostly; parking for it would take many. */
  private void lockSending() {
    for (int i = 0; i < SPINS_FOR_LOCK; i++) {
      if (sending.tryLock()) {
        return;
      }
      Thread.onSpinWait();
    }
    sending.lock();
  }

  /** After a call of the socket that failed; what the link answers from now on. */
  private int failed(int result) {
    var errno = Errno.ofResult(result);
    if (errno.equals(Errno.EAGAIN)) {
      return fail(LinkFailure.late("take a message", limitNanos));
    }
    if (errno.equals(Errno.EPROTO)) {
      return fail(LinkFailure.senseless("it sent a message of a length that none has"));
    }
    return fail(
        errno.equals(Errno.EMSGSIZE) ? LinkFailure.tooManyDescriptors() : LinkFailure.lost(errno));
  }

  /**
   * Ends the link, unless it has failed already.
   *
   * @return the negated errno that it answers from now on
   */
  int fail(LinkFailure why) {
    if (failure.compareAndSet(null, why)) {
      socket.shutdown();
      var other = twin;
      if (other != null) {
        other.shutdown();
      }
      for (var request : requests) {
        if (request.state.compareAndSet(Request.WAITING, Request.LOST)) {
          LockSupport.unpark(request.waiter);
        }
      }
      LockSupport.unpark(watcher);
    }
    return requireNonNull(failure.get()).errno().result();
  }

  /** Ends the link for a reply that no server may give; what the call answers. */
  int senseless(String what) {
    return fail(LinkFailure.senseless(what));
  }

  private int await(Request request) {
    boolean interrupted = false;
    try {
      long begin = 0;
      while (true) {
        int state = request.state.get();
        if (state == Request.ANSWERED) {
          return 0;
        }
        if (state == Request.LOST) {
          return requireNonNull(failure.get()).errno().result();
        }
        if (failure.get() != null) {
          // Unless another thread is handing the reply over just now, there will be none.
          request.state.compareAndSet(Request.WAITING, Request.LOST);
        } else if (reader.compareAndSet(null, Thread.currentThread())) {
          request.reads = true;
          readUntilAnswered(request, begin);
        } else {
          begin = begin == 0 ? System.nanoTime() : begin;
          if (spinNanos > 0 && System.nanoTime() - begin < spinNanos) {
            Thread.onSpinWait();
            continue;
          }
          park(request);
          interrupted |= Thread.interrupted(); // which would have every further wait return at once
          checkTime(request, begin);
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void checkTime(Request request, long begin) {
    if (System.nanoTime() - begin > limitNanos) {
      fail(LinkFailure.late("answer " + Command.of(request.command), limitNanos));
    }
  }

  /** Waits until the reply is here, or the right to read may be free. */
  private void park(Request request) {
    // The order is what matters: who gives the right up looks for us after that, and we for it
    // after this.
    request.isParked = true;
    parked.incrementAndGet();
    if (request.state.get() == Request.WAITING && reader.get() != null) {
      LockSupport.parkNanos(this, SLICE_MILLIS * 1_000_000L);
    }
    parked.decrementAndGet();
    request.isParked = false;
  }

  /** With the right to read, which stays with the request. */
  private void readUntilAnswered(Request request, long parkedSince) {
    boolean spins = spinNanos > 0;
    long begin = parkedSince == 0 && spins ? System.nanoTime() : parkedSince;
    for (int looks = 1; request.state.get() == Request.WAITING; looks++) {
      boolean came = readOne(!spins, request);
      if (failure.get() != null) {
        return;
      }
      if (came) {
        if (looks % MESSAGES_PER_CLOCK == 0) {
          begin = begin == 0 ? System.nanoTime() : begin; // commands of the server's without end
          checkTime(request, begin);
        }
      } else if (!spins) {
        // The first look at the clock comes after the first slice.
        begin = begin == 0 ? System.nanoTime() - SLICE_MILLIS * 1_000_000L : begin;
        checkTime(request, begin);
      } else if (looks % SPINS_PER_CLOCK == 0) {
        spins = System.nanoTime() - begin < spinNanos;
      } else {
        Thread.onSpinWait();
      }
    }
  }

  /**
   * Reads a message and deals with it; with the right to read.
   *
   * @param wait whether to wait for it, for a slice of time
   * @param own the request of this thread, whose reply stays where it is; null if there is none
   * @return whether there was one
   */
  private boolean readOne(boolean wait, @Nullable Request own) {
    int size = socket.receive(wait);
    if (size > 0) {
      received.setOpaque(received.getOpaque() + 1);
      dispatch(size, own);
      return true;
    }
    if (size == 0) {
      fail(LinkFailure.lost(Errno.ECONNRESET));
    } else if (size != Errno.EAGAIN.result()) {
      failed(size);
    }
    return false;
  }

  private void dispatch(int size, @Nullable Request own) {
    var message = socket.message();
    if (Header.isReply(message)) {
      deliver(message, size, own);
    } else if (Header.isCommand(message)) {
      serve(message, size);
    } else {
      senseless("it sent a message that is neither command nor reply");
    }
  }

  private void deliver(MemorySegment message, int size, @Nullable Request own) {
    int id = Header.id(message);
    var request = requests[id & PLACE_MASK];
    // The state first: what else a request has is of this round only if it waits.
    if (request.state.get() != Request.WAITING
        || request.id != id
        || Header.command(message) != request.command) {
      senseless(
          "it replied to command %d, id %d, which it was not given"
              .formatted(Header.command(message), id));
      return;
    }
    if (request.equals(own)) {
      request.use(socket, size);
      request.state.compareAndSet(Request.WAITING, Request.ANSWERED);
    } else if (request.state.compareAndSet(Request.WAITING, Request.TAKEN)) {
      request.keep(socket, size);
      request.state.set(Request.ANSWERED);
      LockSupport.unpark(request.waiter);
    }
  }

  private void serve(MemorySegment command, int size) {
    int replySize =
        memory.answer(
            command,
            size,
            answer,
            Math.min(peerTransfer, longestAnswer - (long) DmaAccessMessage.BYTES));
    if (!Header.wantsNoReply(command)) {
      send(answer, replySize, NO_DESCRIPTORS, 0);
    }
  }

  private static final int[] NO_DESCRIPTORS = {};

  /** Gives the right to read up, after the messages that are here already. */
  private void stopReading() {
    // Only what is here as a whole: the rest of a message may never come, and is the watch's
    // affair.
    for (int i = 0; i < MOST_LEFT_OVER && socket.hasWhole() && failure.get() == null; i++) {
      readOne(false, null);
    }
    hasLeftOver = socket.hasMore();
    reader.set(null);
    if (hasLeftOver) {
      LockSupport.unpark(watcher);
    }
    if (parked.get() > 0) {
      for (var request : requests) {
        if (request.isParked && request.state.get() == Request.WAITING) {
          LockSupport.unpark(request.waiter);
          return;
        }
      }
    }
  }

  /**
   * Reads while nobody waits for a reply, until the link fails; to be called by one thread.
   *
   * @return why it has failed
   */
  LinkFailure watch() {
    watcher = Thread.currentThread();
    long seen = -1;
    long leftSince = 0;
    while (true) {
      var over = failure.get();
      if (over != null) {
        return over;
      }
      long now = received.getOpaque();
      if (!hasLeftOver && (reader.get() != null || now != seen)) {
        seen = now;
        LockSupport.parkNanos(this, WATCH_PAUSE_NANOS);
      } else if ((hasLeftOver || isReadable())
          && reader.compareAndSet(null, Thread.currentThread())) {
        while (readOne(false, null)) {
          Thread.onSpinWait(); // more may follow at once
        }
        stopReading();
        leftSince = hasLeftOver && received.getOpaque() == now ? checkLeftOver(leftSince) : 0;
        seen = received.getOpaque();
      }
    }
  }

  /** Since when a message is here of which the rest does not come. */
  private long checkLeftOver(long since) {
    long time = System.nanoTime();
    if (since != 0 && time - since > limitNanos) {
      fail(LinkFailure.late("send the rest of a message", limitNanos));
    }
    return since == 0 ? time : since;
  }

  private boolean isReadable() {
    return kernel.awaitReadable(socket.fd(), SLICE_MILLIS) != 0;
  }

  /** What was negotiated: the longest data that the server takes in one message. */
  void peerTransfer(long bytes) {
    peerTransfer = bytes;
  }

  /** Serves the server's commands over a socket of their own, by a thread of its own. */
  void twin(MessageSocket other, String name) {
    twin = other;
    var buffer = NativeMemory.allocate(longestAnswer, Long.BYTES, arena);
    var thread = new Thread(() -> serveTwin(other, buffer), "jvfio twin socket of " + name);
    thread.setDaemon(true);
    twinReader = thread;
    thread.start();
    if (failure.get() != null) {
      other.shutdown();
    }
  }

  private void serveTwin(MessageSocket other, MemorySegment buffer) {
    while (failure.get() == null) {
      int size = other.receive(true);
      if (size > 0) {
        if (!Header.isCommand(other.message())) {
          senseless("it sent a reply over the socket of its own commands");
          return;
        }
        int replySize =
            memory.answer(
                other.message(),
                size,
                buffer,
                Math.min(peerTransfer, longestAnswer - (long) DmaAccessMessage.BYTES));
        if (!Header.wantsNoReply(other.message())) {
          int result = other.send(buffer, replySize);
          if (result != 0) {
            failed(result);
          }
        }
      } else if (size == 0) {
        fail(LinkFailure.lost(Errno.ECONNRESET));
      } else if (size != Errno.EAGAIN.result()) {
        failed(size);
      }
    }
  }

  /**
   * Closes the sockets, once everybody is out; not to be called by a thread that has a request, or
   * by the one that watches while it does.
   */
  @Override
  public void close() {
    fail(LinkFailure.closed());
    boolean interrupted = false;
    // Nobody gets a place from here on. Those who have one were woken, and end soon.
    while (!free.compareAndSet(-1, 0)) {
      LockSupport.parkNanos(this, 50_000);
      interrupted |= Thread.interrupted();
    }
    isOver = true;
    while (reader.get() != null) {
      LockSupport.parkNanos(this, 50_000);
      interrupted |= Thread.interrupted();
    }
    var thread = twinReader;
    while (thread != null && thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    socket.close();
    var other = twin;
    if (other != null) {
      other.close();
    }
    arena.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
