// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.Errno;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import java.util.List;

/** Checks of what a server does with memory that it is given and that is taken away. */
final class DmaChecks {
  private static final String MAP = "VFIO_USER_DMA_MAP";
  private static final String UNMAP = "VFIO_USER_DMA_UNMAP";
  private static final String SECURITY = "Security Considerations";

  private static final long BASE = 0x4000_0000L;
  private static final long PAGE = 4096;
  private static final long SIZE = 16 * PAGE;
  private static final int BOTH = DmaMapMessage.READABLE | DmaMapMessage.WRITABLE;
  private static final int MANY = 64;
  private static final long MOST_MAPS = 1024;

  private DmaChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "dma-map-file",
            "takes memory with a descriptor",
            MAP,
            "success without a payload",
            run -> mapped(run, true)),
        new ConformanceCheck(
            "dma-map-message",
            "takes memory without a descriptor",
            MAP,
            "success without a payload",
            run -> mapped(run, false)),
        new ConformanceCheck(
            "dma-map-read-only",
            "takes memory that it may only read",
            MAP,
            "success",
            DmaChecks::readOnly),
        new ConformanceCheck(
            "dma-map-offset",
            "takes memory in the middle of a file",
            MAP,
            "success",
            DmaChecks::offset),
        new ConformanceCheck(
            "dma-map-many",
            "takes many ranges at once, up to the limit that it told",
            MAP,
            "success for %d ranges, or as many as max_dma_maps".formatted(MANY),
            DmaChecks::many),
        new ConformanceCheck(
            "dma-map-limit",
            "takes no more ranges than the limit that it told",
            "VFIO_USER_VERSION",
            "an error for one more",
            DmaChecks::limit),
        new ConformanceCheck(
            "dma-map-mmap-without-file",
            "refuses memory that is to be mapped and has no descriptor",
            MAP,
            "EINVAL",
            run -> withoutFile(run, DmaMapMessage.MMAP)),
        new ConformanceCheck(
            "dma-map-file-io-without-file",
            "refuses memory that is to be read as a file and has no descriptor",
            MAP,
            "EINVAL",
            run -> withoutFile(run, DmaMapMessage.FILE_IO)),
        new ConformanceCheck(
            "dma-map-overlap",
            "refuses memory over other memory",
            MAP,
            "EEXIST",
            run -> overlap(run, BASE + PAGE, SIZE)),
        new ConformanceCheck(
            "dma-map-within",
            "refuses memory within other memory",
            MAP,
            "EEXIST",
            run -> overlap(run, BASE + PAGE, PAGE)),
        new ConformanceCheck(
            "dma-map-twice",
            "refuses the same memory twice",
            MAP,
            "EEXIST",
            run -> overlap(run, BASE, SIZE)),
        new ConformanceCheck(
            "dma-map-zero",
            "refuses memory of no size",
            MAP,
            "an error",
            run -> refusedMap(run, BOTH, BASE, 0)),
        new ConformanceCheck(
            "dma-map-wrapped",
            "refuses memory that wraps around",
            SECURITY,
            "an error",
            run -> refusedMap(run, BOTH, -PAGE, 2 * PAGE)),
        new ConformanceCheck(
            "dma-map-huge",
            "is not ended by memory of 4 EiB",
            SECURITY,
            "success, or an error, and answers after that",
            DmaChecks::huge),
        new ConformanceCheck(
            "dma-map-flags",
            "refuses flags that there are not",
            MAP,
            "an error",
            run -> refusedMap(run, BOTH | 0x100, BASE, SIZE)),
        new ConformanceCheck(
            "dma-map-argsz",
            "refuses an argsz that is smaller than the range's description",
            MAP,
            "an error",
            DmaChecks::mapArgsz),
        new ConformanceCheck(
            "dma-map-short-file",
            "is not ended by memory that its file does not have",
            SECURITY,
            "success, or an error, and answers after that",
            DmaChecks::shortFile),
        new ConformanceCheck(
            "dma-map-no-memory",
            "is not ended by a descriptor that is no memory",
            SECURITY,
            "success, or an error, and answers after that",
            DmaChecks::noMemory),
        new ConformanceCheck(
            "dma-unmap",
            "gives memory back",
            UNMAP,
            "the range as it was asked, and room for another in its place",
            DmaChecks::unmapped),
        new ConformanceCheck(
            "dma-unmap-unknown",
            "refuses to give back what it does not have",
            UNMAP,
            "an error",
            run -> refusedUnmap(run, 0x7000_0000L, PAGE)),
        new ConformanceCheck(
            "dma-unmap-part",
            "refuses to give back a part",
            UNMAP,
            "an error",
            run -> refusedUnmap(run, BASE, SIZE / 2)),
        new ConformanceCheck(
            "dma-unmap-more",
            "refuses to give back more than a range, or gives back all that is in it",
            UNMAP,
            "an error, and the range as before; or success, and room for another in its place",
            DmaChecks::unmappedMore),
        new ConformanceCheck(
            "dma-unmap-inside",
            "refuses to give back from the middle of a range on",
            UNMAP,
            "an error",
            run -> refusedUnmap(run, BASE + PAGE, SIZE - PAGE)),
        new ConformanceCheck(
            "dma-unmap-wrapped",
            "refuses to give back a range that wraps around",
            SECURITY,
            "an error",
            run -> refusedUnmap(run, -PAGE, 2 * PAGE)),
        new ConformanceCheck(
            "dma-unmap-all",
            "gives everything back at once, if it can",
            UNMAP,
            "room for other ranges; or an error, since the specification has no such flag any more",
            DmaChecks::unmapAll),
        new ConformanceCheck(
            "dma-unmap-all-address",
            "refuses to give back everything and a range at once",
            UNMAP,
            "an error, and the range as before",
            run -> usuallyRefusedUnmap(run, Payload.unmap(DmaUnmapMessage.ALL, BASE, SIZE))),
        new ConformanceCheck(
            "dma-unmap-all-dirty",
            "refuses to give back everything with a bitmap of it",
            UNMAP,
            "an error, and the range as before",
            run -> usuallyRefusedUnmap(run, dirty(DmaUnmapMessage.ALL, 0, 0, 8))),
        new ConformanceCheck(
            "dma-unmap-dirty-unlogged",
            "refuses to give back memory with a bitmap that was not logged",
            UNMAP,
            "an error, and the range as before",
            run -> usuallyRefusedUnmap(run, dirty(0, BASE, SIZE, 8))),
        new ConformanceCheck(
            "dma-unmap-dirty-wrapped",
            "refuses to give back memory with a bitmap of nearly all bytes there are",
            SECURITY,
            "an error, and the range as before",
            run -> usuallyRefusedUnmap(run, dirty(0, BASE, SIZE, -32))),
        new ConformanceCheck(
            "dma-unmap-flags",
            "refuses flags that there are not when memory is given back",
            UNMAP,
            "an error, and the range as before",
            run -> usuallyRefusedUnmap(run, Payload.unmap(0x100, BASE, SIZE))),
        new ConformanceCheck(
            "dma-unmap-argsz-small",
            "does not send more of a range that is given back than there is room for",
            "Message sizes",
            "an error and the range as before, or no more bytes than argsz",
            DmaChecks::unmapArgszSmall),
        new ConformanceCheck(
            "dma-unmap-argsz-large",
            "is not ended by more room for a range than it can send",
            "Message sizes",
            "success, or an error and the range as before",
            DmaChecks::unmapArgszLarge));
  }

  private static WirePeer.Message map(
      WirePeer peer, int flags, long offset, long address, long size, int... fds) {
    return peer.call(Command.DMA_MAP, Payload.map(flags, offset, address, size), fds);
  }

  private static void maps(
      ConformanceRun run,
      WirePeer peer,
      int flags,
      long offset,
      long address,
      long size,
      int... fds) {
    var reply = run.succeeds(peer, Command.DMA_MAP, Payload.map(flags, offset, address, size), fds);
    if (reply.payloadSize() > 0) {
      throw Verdict.failed(reply.outcome());
    }
  }

  private static WirePeer.Message unmap(WirePeer peer, int flags, long address, long size) {
    return peer.call(Command.DMA_UNMAP, Payload.unmap(flags, address, size));
  }

  private static String mapped(ConformanceRun run, boolean hasFile) {
    var peer = run.open();
    if (hasFile) {
      maps(run, peer, BOTH, 0, BASE, SIZE, peer.memory(SIZE));
    } else {
      maps(run, peer, BOTH, 0, BASE, SIZE);
    }
    return "success";
  }

  private static String readOnly(ConformanceRun run) {
    var peer = run.open();
    maps(run, peer, DmaMapMessage.READABLE, 0, BASE, SIZE, peer.memory(SIZE));
    return "success";
  }

  private static String offset(ConformanceRun run) {
    var peer = run.open();
    int file = peer.memory(2 * SIZE);
    maps(run, peer, BOTH, SIZE, BASE, SIZE, file);
    maps(run, peer, BOTH, 0, BASE + SIZE, SIZE, file);
    return "success";
  }

  private static String many(ConformanceRun run) {
    var peer = run.open();
    int count = (int) Math.min(MANY, run.hello().capabilities().maxDmaMaps());
    int file = peer.memory(count * PAGE);
    for (int i = 0; i < count; i++) {
      // With gaps, so that none can be joined to its neighbour.
      var reply = map(peer, BOTH, i * PAGE, BASE + 2L * i * PAGE, PAGE, file);
      if (reply.isError()) {
        throw Verdict.failed("%s for range %d".formatted(reply.outcome(), i + 1));
      }
    }
    return count + " ranges";
  }

  private static String limit(ConformanceRun run) {
    long limit = run.hello().capabilities().maxDmaMaps();
    if (limit > MOST_MAPS) {
      throw Verdict.skipped("the limit is %d".formatted(limit));
    }
    var peer = run.open();
    for (long i = 0; i < limit; i++) {
      maps(run, peer, BOTH, 0, BASE + 2 * i * PAGE, PAGE);
    }
    return run.usuallyRefused(
        peer, Command.DMA_MAP, Payload.map(BOTH, 0, BASE + 2 * limit * PAGE, PAGE));
  }

  private static String huge(ConformanceRun run) {
    var peer = run.open();
    var reply = map(peer, BOTH, 0, BASE, 1L << 62);
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String withoutFile(ConformanceRun run, int mode) {
    var peer = run.open();
    var came = run.refused(peer, Command.DMA_MAP, Payload.map(BOTH | mode, 0, BASE, SIZE));
    ConformanceRun.hasErrno(came, Errno.EINVAL);
    return came;
  }

  private static String overlap(ConformanceRun run, long address, long size) {
    var peer = run.open();
    int file = peer.memory(2 * SIZE);
    maps(run, peer, BOTH, 0, BASE, SIZE, file);
    var came = run.refused(peer, Command.DMA_MAP, Payload.map(BOTH, 0, address, size), file);
    ConformanceRun.hasErrno(came, Errno.EEXIST);
    return came;
  }

  private static String refusedMap(ConformanceRun run, int flags, long address, long size) {
    var peer = run.open();
    var came =
        run.usuallyRefused(
            peer, Command.DMA_MAP, Payload.map(flags, 0, address, size), peer.memory(SIZE));
    run.isOfUse(peer, came);
    return came;
  }

  private static String mapArgsz(ConformanceRun run) {
    var payload = Payload.map(BOTH, 0, BASE, SIZE).with(DmaMapMessage.ARGSZ, 8);
    return run.usuallyRefused(run.open(), Command.DMA_MAP, payload);
  }

  private static String shortFile(ConformanceRun run) {
    var peer = run.open();
    var reply = map(peer, BOTH, 0, BASE, SIZE, peer.memory(PAGE));
    run.isOfUse(peer, reply.outcome());
    var far = map(peer, BOTH, 0x1000 * PAGE, BASE + SIZE, SIZE, peer.memory(PAGE));
    run.isOfUse(peer, far.outcome());
    return "%s, and %s with the offset beyond its end".formatted(reply.outcome(), far.outcome());
  }

  private static String noMemory(ConformanceRun run) {
    var peer = run.open();
    var reply = map(peer, BOTH, 0, BASE, SIZE, peer.eventFd());
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String unmapped(ConformanceRun run) {
    var peer = run.open();
    int file = peer.memory(SIZE);
    maps(run, peer, BOTH, 0, BASE, SIZE, file);
    var reply = run.succeeds(peer, 24, Command.DMA_UNMAP, Payload.unmap(0, BASE, SIZE));
    long address = reply.get(DmaUnmapMessage.ADDRESS);
    long size = reply.get(DmaUnmapMessage.SIZE);
    if (address != BASE || size != SIZE || reply.payloadSize() != 24) {
      throw Verdict.failed(
          "%s of %s at %s"
              .formatted(reply.outcome(), MessageText.bytes(size), MessageText.hex(address)));
    }
    maps(run, peer, BOTH, 0, BASE + PAGE, PAGE, file);
    return "so";
  }

  private static String refusedUnmap(ConformanceRun run, long address, long size) {
    var peer = run.open();
    maps(run, peer, BOTH, 0, BASE, SIZE, peer.memory(SIZE));
    var came = run.refused(peer, Command.DMA_UNMAP, Payload.unmap(0, address, size));
    // What was there is there still.
    run.succeeds(peer, Command.DMA_UNMAP, Payload.unmap(0, BASE, SIZE));
    return came;
  }

  /** Refused by others, though the specification is silent; what was there is there still. */
  private static String usuallyRefusedUnmap(ConformanceRun run, Payload payload) {
    var peer = run.open();
    maps(run, peer, BOTH, 0, BASE, SIZE, peer.memory(SIZE));
    var came = run.usuallyRefused(peer, Command.DMA_UNMAP, payload);
    run.succeeds(peer, Command.DMA_UNMAP, Payload.unmap(0, BASE, SIZE));
    return came;
  }

  /** Memory is given back, and a bitmap of the pages that were written is wanted. */
  private static Payload dirty(int flags, long address, long size, long bitmap) {
    return Payload.dirtyUnmap(flags, address, size, PAGE, bitmap);
  }

  private static WirePeer.Message unmapFor(ConformanceRun run, WirePeer peer, int argsz) {
    maps(run, peer, BOTH, 0, BASE, SIZE, peer.memory(SIZE));
    var reply =
        peer.call(
            Command.DMA_UNMAP, Payload.unmap(0, BASE, SIZE).with(DmaUnmapMessage.ARGSZ, argsz));
    if (reply.isError()) {
      run.succeeds(peer, Command.DMA_UNMAP, Payload.unmap(0, BASE, SIZE));
    }
    return reply;
  }

  private static String unmapArgszSmall(ConformanceRun run) {
    int argsz = 8;
    var reply = unmapFor(run, run.open(), argsz);
    if (!reply.isError() && reply.payloadSize() > argsz) {
      throw Verdict.failed("%s for an argsz of %d".formatted(reply.outcome(), argsz));
    }
    return reply.outcome();
  }

  private static String unmapArgszLarge(ConformanceRun run) {
    var peer = run.open();
    var reply = unmapFor(run, peer, Integer.MAX_VALUE);
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String unmappedMore(ConformanceRun run) {
    var peer = run.open();
    int file = peer.memory(SIZE);
    maps(run, peer, BOTH, 0, BASE, SIZE, file);
    var reply = unmap(peer, 0, BASE, 2 * SIZE);
    if (reply.isError()) {
      run.succeeds(peer, Command.DMA_UNMAP, Payload.unmap(0, BASE, SIZE));
      return reply.outcome();
    }
    maps(run, peer, BOTH, 0, BASE, SIZE, file);
    return reply.outcome();
  }

  private static String unmapAll(ConformanceRun run) {
    var peer = run.open();
    int file = peer.memory(SIZE);
    maps(run, peer, BOTH, 0, BASE, SIZE, file);
    maps(run, peer, BOTH, 0, BASE + 4 * SIZE, SIZE, file);
    var reply = unmap(peer, DmaUnmapMessage.ALL, 0, 0);
    if (reply.isError()) {
      run.isOfUse(peer, reply.outcome());
      return reply.outcome();
    }
    maps(run, peer, BOTH, 0, BASE, SIZE, file);
    maps(run, peer, BOTH, 0, BASE + 4 * SIZE, SIZE, file);
    return "success";
  }
}
