// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.nvme;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import io.jvfio.DmaBuffer;
import io.jvfio.nvme.NvmeChannelOptions;
import io.jvfio.nvme.NvmeQueue;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;

/** A way to do I/O with a namespace, until it fails. */
enum Face {
  BLOCKING {
    @Override
    void work(Disk disk, CountDownLatch working) {
      try (var buffer = disk.device().dmaSpace().allocate(BYTES)) {
        while (true) {
          disk.namespace().write(block(disk), blocks(disk), buffer, 0);
          disk.namespace().read(block(disk), blocks(disk), buffer, 0);
          working.countDown();
        }
      }
    }
  },

  QUEUE {
    @Override
    void work(Disk disk, CountDownLatch working) {
      try (var buffer = disk.device().dmaSpace().allocate(BYTES);
          var queue = disk.controller().openQueue()) {
        while (true) {
          fill(disk, queue, buffer);
          queue.await(
              (_, status, _) -> {
                if (status != 0) {
                  throw queue.failure(status, "Read or write");
                }
              },
              WAIT_NANOS);
          working.countDown();
        }
      }
    }

    private void fill(Disk disk, NvmeQueue queue, DmaBuffer buffer) {
      int blocks = blocks(disk);
      boolean hasRoom = true;
      while (hasRoom) {
        hasRoom =
            ThreadLocalRandom.current().nextBoolean()
                ? queue.read(disk.namespace(), block(disk), blocks, buffer, 0, 0)
                : queue.write(disk.namespace(), block(disk), blocks, buffer, 0, 0);
      }
      queue.ring();
    }
  },

  CHANNEL {
    @Override
    void work(Disk disk, CountDownLatch working) throws IOException {
      var bytes = ByteBuffer.allocate(BYTES);
      try (var channel =
          disk.namespace()
              .openChannel(NvmeChannelOptions.of(READ, WRITE).withTransferBytes(PIECE_BYTES))) {
        while (true) {
          channel.write(bytes.clear(), block(disk));
          channel.read(bytes.clear(), block(disk));
          working.countDown();
        }
      }
    }
  },

  ASYNCHRONOUS_CHANNEL {
    @Override
    void work(Disk disk, CountDownLatch working)
        throws IOException, InterruptedException, ExecutionException {
      try (var channel =
          disk.namespace()
              .openAsynchronousChannel(
                  NvmeChannelOptions.of(READ, WRITE).withTransferBytes(PIECE_BYTES),
                  Runnable::run)) {
        while (true) {
          List<Future<Integer>> results = new ArrayList<>();
          for (int i = 0; i < OPERATIONS; i++) {
            results.add(channel.write(ByteBuffer.allocate(BYTES), block(disk)));
            results.add(channel.read(ByteBuffer.allocate(BYTES), block(disk)));
          }
          for (var result : results) {
            result.get();
          }
          working.countDown();
        }
      }
    }
  };

  private static final int BYTES = 16 << 10;
  private static final int PIECE_BYTES = 4 << 10;
  private static final int OPERATIONS = 4;
  private static final long WAIT_NANOS = 1_000_000;

  /**
   * Reads and writes with resources of its own, until that fails.
   *
   * @param working counted down after each round
   */
  abstract void work(Disk disk, CountDownLatch working)
      throws IOException, InterruptedException, ExecutionException;

  private static int blocks(Disk disk) {
    return BYTES / disk.namespace().blockSize();
  }

  /** A place with that many blocks, or bytes, behind it. */
  private static long block(Disk disk) {
    return ThreadLocalRandom.current().nextLong(disk.namespace().blockCount() - BYTES);
  }
}
